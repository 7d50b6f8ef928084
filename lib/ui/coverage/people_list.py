"""The people of a saved view: filters, table, pages, and the way to the API Tokens page."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.actions import ACTIONS
from lib.domain.plural import counted
from lib.domain.worries import OF_PLACE, VIEWS, ListedPerson, PeopleOfPlace, SavedView
from lib.operations import worries
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import DASH
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import filter_row
from lib.ui.components.row_height import ROW_HEIGHT, table_height
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import COVERAGE, TOKENS
from lib.ui.session import Errand, session, set_value, value
from lib.wording.formats import day, one_or_many, plain

PAGE = 50
_ROWS_IN_SIGHT = 9
_DAYS, _HAVING = "people_days", "people_having"


def render_unknown_view() -> None:
    """Say that the address names no view, and lead back."""
    st.header("Token coverage", anchor=False)
    st.warning("There is no such list of people.", icon=":material/search_off:")
    links.page_link(COVERAGE, label="See token coverage")


def render_people(actor: Actor, saved: SavedView) -> None:
    """Draw the list of a view."""
    context = app_context()
    everywhere = worries.count_people(context.engine, context.clock, actor, saved)
    st.header(saved.title, anchor=False)
    links.page_link(COVERAGE, label=":blue[Token coverage]", icon="arrow_back")
    _filters(saved, everywhere)
    if not everywhere:
        render_empty_state("Nobody is on this list", "Choose other days, or go back.")
        return
    area, total = st.container(), sum(place.people for place in everywhere)
    page = _foot(total, len({place.organization_id for place in everywhere}), saved)
    people = worries.list_people(
        context.engine, context.clock, actor, saved, everywhere, (page - 1) * PAGE, PAGE
    )
    with area:
        _table(saved, people)
    _offer_action(saved, everywhere)


def _filters(saved: SavedView, everywhere: Sequence[PeopleOfPlace]) -> None:
    """Draw what can be chosen; a choice opens the address of another view."""
    with filter_row("people_filter"):
        if saved.view in OF_PLACE:
            set_value(_HAVING, saved.view)
            st.selectbox(
                "API Token",
                OF_PLACE,
                key=_HAVING,
                format_func=lambda view: VIEWS[view].label,
                on_change=lambda: _open(saved._replace(view=value(_HAVING))),
                width=190,
            )
        if len(VIEWS[saved.view].days) > 1:
            set_value(_DAYS, saved.days)
            st.selectbox(
                "Days",
                VIEWS[saved.view].days,
                key=_DAYS,
                on_change=lambda: _open(saved._replace(days=value(_DAYS))),
                width=110,
            )
    where = {f"{place.organization_name} · {place.service_name}" for place in everywhere}
    if saved.view in OF_PLACE and len(where) == 1:
        st.caption(plain(where.pop()))


def _open(saved: SavedView) -> None:
    """For callbacks: write the address of a view; the next run draws it."""
    st.query_params.from_dict(saved.parameters)


def _foot(total: int, organizations: int, saved: SavedView) -> int:
    """Draw how many people of how many organizations; return the open page."""
    pages = -(-total // PAGE)
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.container(width="content")
        st.space("stretch")
        page = 1
        if pages > 1:
            page = st.pagination(
                pages, max_visible_pages=5, key=f"people_page_{hash(saved)}_{pages}"
            )
        first, last = (page - 1) * PAGE + 1, min(page * PAGE, total)
        where = counted(organizations, "organization")
        place.caption(f"{first:,}{DASH}{last:,} of {counted(total, 'user')} in {where}")
    return page


def _table(saved: SavedView, people: Sequence[tuple[PeopleOfPlace, ListedPerson]]) -> None:
    since = VIEWS[saved.view].since
    st.dataframe(
        pd.DataFrame(
            [
                (
                    person.name,
                    person.username,
                    place.organization_name,
                    place.organization_id,
                    place.service_name,
                    " ".join(["✓"] * person.accepted + ["Pending"] * person.pending),
                    day(person.since),
                )
                for place, person in people
            ],
            columns=["Name", "Username", "Organization", "ID", "Service", "API Token", since],
        ),
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(people), _ROWS_IN_SIGHT),
        placeholder=DASH,
        alt=f"{saved.title}: users, by organization and service",
        column_config={
            "Name": st.column_config.TextColumn(width=140),
            "Username": st.column_config.TextColumn(width=96),
            "Organization": st.column_config.TextColumn(width=210),
            "ID": st.column_config.TextColumn(width=76),
            "Service": st.column_config.TextColumn(width=130),
            "API Token": st.column_config.TextColumn(width=104),
            since: st.column_config.DateColumn(width=104, format="MMM D, YYYY"),
        },
    )


def _offer_action(saved: SavedView, everywhere: Sequence[PeopleOfPlace]) -> None:
    """Draw the way to the API Tokens page, and the action that helps there."""
    first = everywhere[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Open in API tokens", type="primary", icon=":material/vpn_key:")
        st.caption(_advice(saved, first, len(everywhere)))
    if pressed:
        session().errand = Errand(saved, tuple(everywhere))
        links.open_page(TOKENS, scope.query_params(first.organization_id, first.service_id))


def _advice(saved: SavedView, first: PeopleOfPlace, places: int) -> str:
    actions = " or ".join(f"*{ACTIONS[a].name_for_many}*" for a in VIEWS[saved.view].actions)
    helps = f" {actions} helps." if actions else ""
    who = counted(first.people, "user")
    if places == 1:
        return f"Selects {one_or_many(first.people, 'this user|these users')} there.{helps}"
    return (
        f"Selects {who} of {plain(first.organization_name)} for {plain(first.service_name)}, then "
        f"{counted(places - 1, 'further list')} by organization and service.{helps}"
    )
