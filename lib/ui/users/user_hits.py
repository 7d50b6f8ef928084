"""The search of the Users page, and what it finds: a link for each hit, in groups by kind."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from lib.domain.actions import action_name
from lib.domain.plural import counted
from lib.domain.states import TokenState
from lib.domain.users import (
    DirectorySize,
    OperationHit,
    OrganizationHit,
    PersonHit,
    SearchResults,
    TokenHit,
)
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import day_text
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import search_field
from lib.ui.navigation import activity_links, links, scope
from lib.ui.navigation.page_registry import ACTIVITY, CONTACT
from lib.ui.navigation.user_links import USERS_SEARCH, user_link
from lib.ui.session import set_value
from lib.wording.formats import plain
from lib.wording.labels import STATUS, TYPE_ICONS, TYPES

ROWS = 20

_LINK, _WHAT, _WHERE = 320, 142, 212  # pixels
_SHOWN = 60  # characters of a search that are repeated on the page
_ID = 8  # digits of an operation's id


def users_search() -> str:
    """Draw the search field; return its text, while the person types."""
    hint = "Name, username, email, organization, operation ID or demo_4Fq2"
    return search_field(
        "Search",
        hint.replace("demo", app_context().minting.prefix),
        USERS_SEARCH,
        560,
        live=True,
    )


def render_start(size: DirectorySize) -> None:
    """Draw what can be searched, before anything was typed."""
    render_empty_state(
        f"{counted(size.users, 'user')} in {counted(size.organizations, 'organization')}",
        "Type a part of a name, username or email; of the name or ID of an organization; the ID of "
        "an operation; or the visible part of a token, with its capitals.",
    )


def render_hits(found: SearchResults, text: str) -> None:
    """Draw the hits by kind, or that there are none."""
    if not any((found.people, found.organizations, found.operations, found.tokens)):
        render_empty_state(
            f"Nothing found for “{plain(text[:_SHOWN])}”",
            "Try fewer letters, or check the spelling. The letters of a token need their case.",
            clear="Clear search",
            on_clear=_clear,
            key="users_clear",
        )
        return
    if found.people:
        with _group("People", _of(len(found.people), found.total, more=found.more)):
            for person in found.people:
                _draw_person(person)
    if found.organizations:
        shown = len(found.organizations)
        with _group("Organizations", _of(shown, found.organizations_total)):
            for organization in found.organizations:
                _draw_organization(organization)
    if found.operations:
        with _group("Operations", f"{len(found.operations)}"):
            for operation in found.operations:
                _draw_operation(operation)
    if found.tokens:
        with _group("Tokens", f"{len(found.tokens)}"):
            for token in found.tokens:
                _draw_token(token)


@contextmanager
def _group(kind: str, count: str) -> Iterator[None]:
    with st.container(gap="xxsmall", key=f"users_{kind.lower()}"):
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.markdown(f"**{kind}**", width="content")
            st.caption(count, width="content")
        yield


def _of(shown: int, total: int, *, more: bool = False) -> str:
    """Return `4 of 4`, or `20 of more than 500`."""
    return f"{shown:,} of {'more than ' if more else ''}{total:,}"


@contextmanager
def _hit(what: str, where: str) -> Iterator[None]:
    """Draw a line: the block draws its link, then come `what` they have and `where`."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        with st.container(width=_LINK):
            yield
        st.markdown(f":small[{what}]", width=_WHAT)
        st.markdown(f":small[{plain(where)}]", width=_WHERE)


def _draw_person(person: PersonHit) -> None:
    first, more = person.organizations[:1], len(person.organizations) - 1
    where = "".join(first) or "Staff account"
    with _hit(_holdings(person), f"{where} and {more:,} more" if more > 0 else where):
        user_link(person.name, person.username)


def _holdings(person: PersonHit) -> str:
    """Return `3 tokens, 1 Pending`, `No token`, or that the person is inactive."""
    parts = [
        "" if person.active else ":material/block: Inactive",
        counted(person.accepted, "token") if person.accepted else "",
        f"{person.pending:,} Pending" if person.pending else "",
    ]
    return ", ".join(filter(None, parts)) or ("No token" if person.organizations else "")


def _draw_organization(found: OrganizationHit) -> None:
    kind = ", ".join(filter(None, (TYPES[found.type], found.state)))
    with _hit(STATUS[found.status], kind):
        links.page_link(
            CONTACT,
            scope.query_params(found.organization_id),
            label=f":blue[{plain(found.name)}] {plain(found.organization_id)}",
            icon=TYPE_ICONS[found.type],
        )


def _draw_operation(found: OperationHit) -> None:
    users = found.changed + found.skipped
    what = f"{counted(users, 'user')}, {day_text(found.confirmed_at)}"
    name = action_name(found.action, users)
    with _hit(what, found.organization_name):
        links.page_link(
            ACTIVITY,
            activity_links.operation_link(found.organization_id, found.operation_id),
            label=f":blue[{plain(name)}] {found.operation_id[:_ID]}…",
        )


def _draw_token(token: TokenHit) -> None:
    if token.state is TokenState.ACCEPTED:
        what = f"✓ since {day_text(token.created_at)}"
    elif token.state is TokenState.PENDING:
        what = f"Pending since {day_text(token.created_at)}"
    else:
        what = f"{token.state.value.capitalize()} {day_text(token.ended_at)}"
    with _hit(what, f"{token.organization_name} · {token.service_name}"):
        user_link(token.name, token.username, f"{token.hint}…", icon="key")


def _clear() -> None:
    set_value(USERS_SEARCH, "")
