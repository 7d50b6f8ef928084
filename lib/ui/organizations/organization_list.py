"""The list of organizations: search and filters, table, pages, and the empty states."""

from collections.abc import Iterable, Mapping
from typing import Literal

import streamlit as st

from lib.domain.directory import OrganizationListed, Service
from lib.domain.plural import counted
from lib.domain.users import SearchResults
from lib.operations.directory import ORDERS, OrganizationFilter
from lib.ui.components.definition_list import DASH
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import choice, filter_row, search_field
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import CONTACT, USERS
from lib.ui.navigation.user_links import user_link, users_button
from lib.ui.session import set_value, value
from lib.wording.formats import either, plain
from lib.wording.labels import STATUS, STATUS_ICONS, TYPE_ICONS, TYPES

ROWS = 25
USERS_INSTEAD = 5
ORDER_NAMES = {"name": "Name", "id": "ID", "users": "Most users", "share": "Lowest share first"}

_ANY = {"": "Any"}
_SEARCH, _PAGE = "organizations_search", "organizations_page"
_CHOICES = tuple(f"organizations_{name}" for name in ("status", "type", "state", "service"))
_NAME, _STATUS, _TYPE, _STATE, _SERVICES, _TOKENS = 320, 90, 72, 34, 54, 84  # pixels
_TABLE = 785
_LONGEST = 38  # characters of a name; a longer one would push the id out of sight


def organization_filters(
    states: Iterable[str], services: Iterable[Service]
) -> tuple[OrganizationFilter, str]:
    """Draw the search, the filters and the order; return the filter and a key of ORDER_NAMES."""
    words = {s.value: word for s, word in STATUS.items()}
    kinds = {t.value: word for t, word in TYPES.items()}
    with filter_row("organizations_filter"):
        search = search_field("Search", "Name or ID", _SEARCH, 320, on_change=go_to_first_page)
        status = _choose("Status", _ANY | words)
        kind = _choose("Type", _ANY | kinds)
        state = _choose("State", _ANY | {s: s for s in states if s})
        service = _choose("Service", _ANY | {s.service_id: s.name for s in services}, width=155)
        order = _choose("Order", {key: ORDER_NAMES.get(key, key) for key in ORDERS}, width=150)
    return OrganizationFilter(search, status, kind, state, service), order


def first_row() -> int:
    """Return how many organizations come before the open page."""
    return (int(value(_PAGE) or 1) - 1) * ROWS


def render_organizations(listed: Iterable[OrganizationListed]) -> OrganizationListed | None:
    """Draw the table; return the organization whose status button was pressed, else None."""
    pressed = None
    with st.container(key="organizations_table", gap="xxsmall", width=_TABLE):
        _head()
        for organization in listed:
            pressed = organization if _row(organization) else pressed
    return pressed


def render_pager(total: int, shown: int) -> None:
    """Draw the foot of the table: which organizations of how many, and the pages."""
    first = first_row()
    pages = -(-total // ROWS)
    with st.container(horizontal=True, vertical_alignment="center", width=_TABLE):
        of = counted(total, "organization")
        st.caption(f"{first + 1:,}{DASH}{first + shown:,} of {of}", width="content")
        st.space("stretch")
        if pages > 1:
            st.pagination(pages, max_visible_pages=5, key=_PAGE, persist_state="session")


def render_no_organizations(wanted: OrganizationFilter, users: SearchResults) -> None:
    """Draw the empty state: no organization matches, or none exists; and what to do next.

    `users` is what the same search finds among users.
    """
    if wanted == OrganizationFilter("", "", "", "", ""):
        render_empty_state(
            "No organizations yet",
            "Import your directory from CSV files, then reload this page:",
            command="python -m lib.cli import --services services.csv --organizations "
            "organizations.csv --subscriptions subscriptions.csv --users users.csv",
        )
        return
    if users.people:
        _render_users_instead(users, wanted.search)
    else:
        render_empty_state("No organization matches", "Try fewer letters, or clear the filters.")
    st.button("Clear search and filters", on_click=_clear)


def _render_users_instead(found: SearchResults, search: str) -> None:
    """Draw the users who match where no organization does, the first ones as links."""
    many = f"{'More than ' if found.more else ''}{either(found.total, 'user does|users do')}"
    render_empty_state("No organization matches", f"{many}:")
    with st.container(gap="xxsmall", key="organizations_users"):
        for person in found.people:
            user_link(person.name, person.username)
    if found.more or found.total > len(found.people):
        users_button(f":blue[Show all in {USERS.title}]", search, "organizations_to_users")


def _choose(label: str, options: Mapping[str, str], width: int = 140) -> str:
    key = f"organizations_{label.lower()}"
    return choice(label, options, key, width, on_change=go_to_first_page)


def _head() -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.caption("Name/ID", width=_NAME)
        st.space("stretch")
        st.caption("Status", width=_STATUS)
        st.caption("Type", width=_TYPE)
        st.caption("State", width=_STATE)
        st.caption("Services", width=_SERVICES, text_alignment="right")
        st.caption("Have a token", width=_TOKENS, text_alignment="right")


def _row(listed: OrganizationListed) -> bool:
    """Draw one organization; tell whether its status button was pressed."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        with st.container(width=_NAME):
            links.page_link(
                CONTACT,
                scope.query_params(listed.organization_id),
                label=f":blue[{plain(_short(listed.name))}] {plain(listed.organization_id)}",
                icon=TYPE_ICONS[listed.type],
                help_text=plain(listed.name) if len(listed.name) > _LONGEST else None,
            )
        st.space("stretch")
        with st.container(width=_STATUS):
            pressed = st.button(
                STATUS[listed.status],
                key=f"open_{listed.organization_id}",
                type="tertiary",
                icon=STATUS_ICONS[listed.status],
            )
        _cell(TYPES[listed.type], _TYPE)
        _cell(plain(listed.state), _STATE)
        _cell(f"{listed.services:,}", _SERVICES, "right")
        counted = f"{listed.with_token:,} of {listed.users:,}" if listed.users else DASH
        _cell(counted, _TOKENS, "right")
    return pressed


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _cell(text: str, width: int, side: Literal["left", "right"] = "left") -> None:
    st.markdown(f":small[{text}]", width=width, text_alignment=side)


def go_to_first_page() -> None:
    """Open the first page, after another search or filter, or when the open page is gone."""
    set_value(_PAGE, 1)


def _clear() -> None:
    set_value(_SEARCH, "")
    for key in _CHOICES:
        set_value(key, "")
    go_to_first_page()
