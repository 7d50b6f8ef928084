"""What happened to one user: ended tokens and requests, and the events about and by them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.activity import ActivityFilter, ActivityRow, EndedToken, Group
from lib.operations import activity, users
from lib.operations.users import PersonView
from lib.ui.activity import event_table, keyset_pager
from lib.ui.activity.event_table import PAGE
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import UNKNOWN
from lib.ui.components.filters import choice, filter_row
from lib.ui.components.row_height import ROW_HEIGHT, table_height
from lib.ui.navigation import activity_links
from lib.ui.navigation.activity_links import Link
from lib.wording.activity import event_actor, event_label, event_reason, token_end, token_start
from lib.wording.formats import day

_EVENTS, _ENDED = "person_events", "person_ended"
_SHOW, _ORGANIZATION = "person_show", "person_organization"
_ENDED_ROWS = 25
_ROWS_IN_SIGHT = 12
_ENDED_COLUMNS = (
    "Organization",
    "Service",
    "Token",
    "Began",
    "Since",
    "How it ended",
    "Ended",
    "Accepted",
    "Last used",
)
_SHOWN = {
    "person": "About and by this user",
    "about": "About this user",
    "actor": "Done by this user",
}


def render_ended(actor: Actor, view: PersonView) -> None:
    """Draw the ended tokens and requests, the last ended first."""
    username = view.person.username
    moment, _, token_id = keyset_pager.page_start(_ENDED, (actor.username, username)).partition(" ")
    before = (int(moment), token_id) if moment else None
    shared = app_context()
    rows, older = users.list_ended_tokens(
        shared.engine, shared.clock, actor, username, before=before, limit=_ENDED_ROWS
    )
    if not rows:
        return
    st.subheader("Ended", anchor=False)
    _ended_table(rows)
    with st.container(horizontal=True, vertical_alignment="center", key="person_ended_foot"):
        first = keyset_pager.pages_before(_ENDED) * _ENDED_ROWS + 1
        st.caption(f"{first:,}–{first + len(rows) - 1:,}, last ended first", width="content")
        st.space("stretch")
        keyset_pager.render_pager(
            _ENDED, f"{rows[-1].ended_at} {rows[-1].token_id}" if older else ""
        )


def _ended_table(rows: Sequence[EndedToken]) -> None:
    dates = {name: _days() for name in ("Since", "Ended", "Accepted", "Last used")}
    st.dataframe(
        pd.DataFrame([_ended_line(token) for token in rows], columns=list(_ENDED_COLUMNS)),
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows), 6),
        column_config=dates
        | {
            "Began": st.column_config.TextColumn(width=150),
            "How it ended": st.column_config.TextColumn(width=190),
        },
        placeholder=UNKNOWN,
        alt="Ended tokens and requests of this user",
        **activity_links.from_rows(
            "person_ended_table", [t.token_id for t in rows], [_token_link(token) for token in rows]
        ),
    )


def _ended_line(token: EndedToken) -> tuple[Any, ...]:
    return (
        token.organization_id,
        token.service_name,
        f"{token.hint}…" if token.hint else "",
        token_start(token),
        day(token.created_at),
        token_end(token),
        day(token.ended_at),
        day(token.accepted_at),
        day(token.last_used_at),
    )


def _token_link(token: EndedToken) -> Link | None:
    """Return the link of a token: the operation that ended it, else the one that made it."""
    operation_id = token.ended_by_operation or token.made_by_operation
    if not operation_id:
        return None
    return activity_links.operation_link(token.organization_id, operation_id)


def render_history(actor: Actor, view: PersonView) -> None:
    """Draw the events about the person and by the person, the newest first."""
    st.subheader("History", anchor=False)
    wanted = _history_filter(view)
    before = keyset_pager.page_start(_EVENTS, (actor.username, wanted))
    page = activity.list_events(app_context().engine, actor, wanted, before=before, limit=PAGE)
    if not page.rows:
        st.caption("Nothing is recorded here that this user did, or that was done to them.")
        return
    _history_table(page.rows, view)
    with filter_row("person_foot"):
        event_table.open_operation(page.rows, "person_open_operation")
        st.space("stretch")
        keyset_pager.render_pager(_EVENTS, page.rows[-1].event_id if page.older else "")


def _history_filter(view: PersonView) -> ActivityFilter:
    """Draw the filters of the history; return their values."""
    organizations = {m.organization_id: m.organization_name for m in view.memberships}
    with filter_row("person_filter"):
        side = choice("Show", _SHOWN, _SHOW, 260, kept=False)
        organization_id = ""
        if len(organizations) > 1:
            options = {"": "Any"} | organizations
            organization_id = choice("Organization", options, _ORGANIZATION, 260, kept=False)
    username = view.person.username
    wanted = ActivityFilter(Group.EVERYTHING, organization_id=organization_id)
    sides = {
        "person": replace(wanted, person=username),
        "about": replace(wanted, about=username),
        "actor": replace(wanted, actor=username),
    }
    return sides[side]


def _history_table(rows: Sequence[ActivityRow], view: PersonView) -> None:
    """Draw the events; a click on what happened, or on who did it, opens it."""
    name, ids = "person_events_table", [row.event_id for row in rows]
    operations = [_operation_link(row) for row in rows]
    people = [
        activity_links.person_link(row.actor)
        if row.actor not in {"", view.person.username}
        else None
        for row in rows
    ]
    text = st.column_config.TextColumn
    st.dataframe(
        _history_frame(rows),
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows), _ROWS_IN_SIGHT),
        column_config={
            "When (UTC)": event_table.event_times(),
            "What happened": activity_links.link_column(f"{name}_what", ids, operations, 200),
            "Where": text(width=250),
            "Who": activity_links.link_column(f"{name}_who", ids, people, 110),
            "Reason": text(width=172),
        },
        placeholder=UNKNOWN,
        alt="History of this user, newest first",
        **activity_links.from_rows(name, ids, operations),
    )


def _history_frame(rows: Iterable[ActivityRow]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            (
                row.happened_at,
                event_label(row),
                ", ".join(filter(None, (row.organization_name, row.service_name))),
                event_actor(row),
                event_reason(row),
            )
            for row in rows
        ],
        columns=["When (UTC)", "What happened", "Where", "Who", "Reason"],
    )
    frame["When (UTC)"] = frame["When (UTC)"].astype("datetime64[ms]")
    return frame


def _operation_link(row: ActivityRow) -> Link | None:
    if not row.operation_id:
        return None
    return activity_links.operation_link(row.organization_id, row.operation_id)


def _days() -> Any:  # noqa: ANN401 - a column's configuration
    return st.column_config.DateColumn(width=96, format="MMM D, YYYY")
