"""One user: organizations, roles, tokens and requests, as far as the actor may see them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lib.domain.access import Actor, GrantRow
from lib.domain.states import Origin, Status, TokenState
from lib.domain.tokens import OwnToken
from lib.operations import users
from lib.operations.users import PersonView
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import UNKNOWN, render_definitions
from lib.ui.components.filters import REFUSED_TEXT, is_token
from lib.ui.components.message import render_message
from lib.ui.components.row_height import ROW_HEIGHT, table_height
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import TOKENS, USERS
from lib.ui.users import off_boarding, person_history
from lib.wording.formats import day, plain
from lib.wording.labels import ROLES, STATUS

_FEW = 12
_PLACES = 6
_FACT = 120  # pixels of a label
_SIGNS = {TokenState.ACCEPTED: "✓", TokenState.PENDING: "Pending"}
_REFUSED = "refused: inactive"


def render_person(actor: Actor, username: str) -> None:
    """Draw the person, or a message that there is none."""
    view = users.open_person(app_context().engine, app_context().clock, actor, username)
    if view is None:
        _render_nobody(username)
        return
    st.header(plain(view.person.name or view.person.username), anchor=False)
    _render_back_link()
    render_message()
    off_boarding.render_off_boarding_receipt()
    render_definitions(_facts(view), label_width=_FACT)
    _render_live(view)
    off_boarding.render_off_boarding(actor, view)
    person_history.render_ended(actor, view)
    if view.history:
        person_history.render_history(actor, view)


def _render_nobody(username: str) -> None:
    """Draw that there is no such user, without a token that somebody typed into the address."""
    st.header("Users", anchor=False)
    if is_token(username):
        st.query_params.clear()
        st.warning(REFUSED_TEXT, icon=":material/person_off:")
    elif username:
        st.warning(f"There is no user {plain(username[:60])}.", icon=":material/person_off:")
    else:
        st.warning("No user is open.", icon=":material/person_off:")
    _render_back_link()


def _render_back_link() -> None:
    links.page_link(USERS, label=":blue[Back to Users]", icon="arrow_back")


def _facts(view: PersonView) -> dict[str, str]:
    member_of = [
        f"{m.organization_name} · {m.organization_id} ({STATUS[Status(m.status)]})"
        for m in view.memberships
    ]
    facts = {
        "Username": view.person.username,
        "Email": view.person.email,
        "Organizations": "\n".join(_at_most(member_of)),
    }
    if view.grants is not None:
        facts["Roles"] = "\n".join(_at_most([_role(grant) for grant in view.grants])) or "None"
    return facts


def _at_most(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _FEW
    return [*lines[:_FEW], f"and {more:,} more"] if more > 0 else list(lines)


def _role(grant: GrantRow) -> str:
    where = grant.organization_name or grant.organization_id or "all organizations"
    return f"{ROLES[grant.role]} in {where}"


def _render_live(view: PersonView) -> None:
    """Draw the live tokens and requests; only the first letters of a token are known."""
    with st.container(horizontal=True, vertical_alignment="center", key="person_live_head"):
        st.subheader("Tokens and requests", anchor=False, width="content")
        st.space("stretch")
        _render_token_links(view)
    if not view.live:
        here = "" if view.everywhere else " in the organizations that you may see"
        st.caption(f"Nothing works or is pending{here}.")
        return
    dates = {name: _days() for name in ("Since", "Last used", "Expires")}
    text = st.column_config.TextColumn
    st.dataframe(
        pd.DataFrame(
            [_live_line(token, view) for token in view.live],
            columns=["Service", "API Token", "Organization", "Token", *dates],
        ),
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(view.live), 6),
        column_config=dates
        | {
            "Service": text(width=96),
            "API Token": text(width=140),
            "Organization": text(width=232),
            "Token": text(width=100),
        },
        placeholder=UNKNOWN,
        alt="Live tokens and requests of this user",
    )


def _render_token_links(view: PersonView) -> None:
    """Draw the links to the API tokens of the places where the person has something."""
    places = {(t.organization_id, t.service_id): t.service_name for t in view.live}
    for (organization_id, service_id), service in list(places.items())[:_PLACES]:
        one = "Open in API tokens" if len(places) == 1 else f"{service} · {organization_id}"
        links.page_link(
            TOKENS,
            scope.query_params(organization_id, service_id),
            label=f":blue[{plain(one)}]",
            help_text="Open in API tokens",
        )


def _live_line(token: OwnToken, view: PersonView) -> tuple[Any, ...]:
    requested = token.origin is Origin.REQUEST and token.state is TokenState.PENDING
    refused = (token.organization_id, token.service_id) in view.refused
    return (
        token.service_name,
        f"{_SIGNS[token.state]} {_REFUSED}" if refused else _SIGNS[token.state],
        f"{token.organization_name} · {token.organization_id}",
        f"{token.hint}…" if token.hint else "Requested" if requested else "",
        day(token.created_at),
        day(token.last_used_at),
        day(token.expires_at),
    )


def _days() -> Any:  # noqa: ANN401 - a column's configuration
    return st.column_config.DateColumn(width=96, format="MMM D, YYYY")
