"""The table of the API Tokens page: search, filter, pages, and ticks that stay with their user.

Streamlit keeps the ticks of an editor by row position. So the frame that the browser has stays the
same object until its rows change, its index is the member's id, and only ids are read from the
edited frame.
"""

from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.directory import Subscription
from lib.domain.plural import counted
from lib.domain.tokens import TokenRow
from lib.operations import token_list
from lib.ui.app_context import app_context
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import choice, filter_row, search_field
from lib.ui.components.row_height import ROW_HEIGHT, table_height
from lib.ui.navigation import activity_links
from lib.ui.navigation.scope import OpenScope
from lib.ui.session import new_number, set_value
from lib.ui.tokens.tokens_state import MatchingUsers, TableFrame, tokens_state
from lib.wording.formats import day, plain
from lib.wording.labels import FILTERS

PAGE = 50
_SEARCH = "tokens_search"
_HOLDING = "tokens_holding"
_ROWS_IN_SIGHT = 9
_COLUMNS = ("Select", "Name", "Username", "Email", "API Token", "Requested", "Last used", "Expires")


class VisibleUsers(NamedTuple):
    """The member ids that match the search and the filter, and those on the open page."""

    matching: list[str]
    on_page: list[str]


def render_token_table(here: OpenScope, chosen: Subscription, *, selectable: bool) -> VisibleUsers:
    """Draw search, filter, table and pages, and copy the ticks into the session's selection.

    Returns the users that match. Without `selectable` the table has no column of ticks, for people
    who may only read.
    """
    search, holding = _filters()
    at = (here.actor, chosen.organization_id, chosen.service_id)
    revision = token_list.read_revision(app_context().engine, *at)
    matching = _matching(at, revision, search, holding)
    area, foot = st.container(), st.container()
    if not matching:
        # Streamlit drops the ticks of an editor that is not drawn.
        tokens_state().table_frame.made_from = ()
        with area:
            _render_no_users(here, chosen, search, holding)
        return VisibleUsers([], [])
    page = _pages(foot, matching, (at[1:], search, holding))
    on_page = matching[(page - 1) * PAGE : page * PAGE]
    table = _table_frame(at, revision, on_page)
    with area:
        if selectable:
            _editor(here, chosen, table, on_page)
        else:
            st.dataframe(table.frame.drop(columns="Select"), **_table_options(here, chosen, table))
    return VisibleUsers(matching, on_page)


def _filters() -> tuple[str, str]:
    with filter_row("tokens_filter"):
        search = search_field("Search users", "Name, username or email", _SEARCH, 360, kept=False)
        return search, choice("API Token", FILTERS, _HOLDING, 220, kept=False)


def _matching(at: tuple[Actor, str, str], revision: int, search: str, holding: str) -> list[str]:
    """Return the member ids that match; read once per search, filter and revision."""
    made_from = (at, revision, search, holding)
    remembered = tokens_state()
    if remembered.matching_users.made_from != made_from:
        ids = token_list.match_users(
            app_context().engine, app_context().clock, *at, search, holding
        )
        users = token_list.count_users(app_context().engine, *at[:2])
        remembered.matching_users = MatchingUsers(made_from, ids, frozenset(ids), users)
    return remembered.matching_users.member_ids


def _pages(foot: Any, matching: list[str], of: tuple[Any, ...]) -> int:  # noqa: ANN401 - a container
    """Draw the foot; return the open page. Another search or filter begins at page 1."""
    pages = -(-len(matching) // PAGE)
    with foot, st.container(horizontal=True, vertical_alignment="center", key="tokens_foot"):
        place = st.container(width="content")
        st.space("stretch")
        page = 1
        if pages > 1:
            page = st.pagination(pages, max_visible_pages=5, key=f"tokens_page_{hash((of, pages))}")
        first = (page - 1) * PAGE + 1
        last = min(page * PAGE, len(matching))
        users = tokens_state().matching_users.users
        in_all = f", {users:,} in all" if users != len(matching) else ""
        place.caption(f"{first:,}–{last:,} of {counted(len(matching), 'user')}{in_all}")
    return page


def _table_frame(at: tuple[Actor, str, str], revision: int, on_page: list[str]) -> TableFrame:
    """Return the frame that the browser has; a new one only when its rows or ticks must change."""
    remembered = tokens_state()
    made_from = (at, revision, tuple(on_page), remembered.selection_version)
    if remembered.table_frame.made_from != made_from:
        rows = token_list.read_rows(app_context().engine, app_context().clock, *at, on_page)
        # A new key each time: Streamlit must not apply the edits of an older frame to this one.
        remembered.table_frame = TableFrame(
            made_from, new_number(), _frame(rows, remembered.selected)
        )
    return remembered.table_frame


def _frame(rows: list[TokenRow], selected: set[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (
                row.member_id in selected,
                row.name,
                row.username,
                row.email,
                _token_states(row),
                day(row.requested_at),
                day(row.last_used_at),
                day(row.expires_at),
            )
            for row in rows
        ],
        columns=list(_COLUMNS),
        index=[row.member_id for row in rows],
    )


def _token_states(row: TokenRow) -> list[str]:
    return ["✓"] * row.accepted + ["Pending"] * row.pending + ["Expired"] * row.expired


def _editor(here: OpenScope, chosen: Subscription, table: TableFrame, on_page: list[str]) -> None:
    edited = st.data_editor(
        table.frame,
        key=f"tokens_table_{table.number}",
        disabled=list(_COLUMNS[1:]),
        **_table_options(here, chosen, table),
    )
    remembered = tokens_state()
    ticked = set(edited.index[edited["Select"].astype(bool)])
    remembered.selected = (remembered.selected - set(on_page)) | ticked & set(on_page)


def _table_options(here: OpenScope, chosen: Subscription, table: TableFrame) -> dict[str, Any]:
    rows = len(table.frame)
    return {
        "hide_index": True,
        "row_height": ROW_HEIGHT,
        "height": table_height(rows, _ROWS_IN_SIGHT),
        "placeholder": "–",
        "alt": f"API tokens: users of {here.organization.name} for {chosen.service_name}",
        "column_config": _column_config(table),
    }


def _column_config(table: TableFrame) -> dict[str, Any]:
    column = st.column_config
    people = [activity_links.person_link(username) for username in table.frame["Username"]]
    name = f"tokens_name_{table.number}"
    dates = {
        name: column.DateColumn(width=92, format="MMM D, YYYY")
        for name in ("Requested", "Last used", "Expires")
    }
    return {
        "Select": column.CheckboxColumn(width=78, pinned=True, help="Press Space to tick the user"),
        "Name": activity_links.link_column(name, list(table.frame.index), people, 128),
        "Username": column.TextColumn(width=96),
        "Email": column.TextColumn(width=197),
        "API Token": column.MultiselectColumn(
            width=112, options=["✓", "Pending", "Expired"], color=["green", "orange", "gray"]
        ),
        **dates,
    }


def _render_no_users(here: OpenScope, chosen: Subscription, search: str, holding: str) -> None:
    if not search.strip() and holding == "any":
        render_empty_state(
            f"{plain(here.organization.name)} has no users for {plain(chosen.service_name)}",
            "Users come with the import of a directory; Help says how.",
        )
        return
    looked_for = (
        f" No name, username or email contains “{plain(search)}”." if search.strip() else ""
    )
    shown = f" API Token is “{FILTERS[holding]}”." if holding != "any" else ""
    render_empty_state(
        "No users match",
        f"{looked_for}{shown} Try fewer letters, or clear the search and filter.".strip(),
        clear="Clear search and filter",
        on_clear=_clear_filters,
        key="tokens_clear_filters",
    )


def _clear_filters() -> None:
    set_value(_SEARCH, "")
    set_value(_HOLDING, "any")
