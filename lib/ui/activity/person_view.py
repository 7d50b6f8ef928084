"""User 360: a person's organizations, roles, tokens and events, as far as the actor may see."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lib.domain.access import Actor, GrantRow
from lib.domain.activity import ActivityFilter, EndedToken, Group
from lib.domain.states import Origin, Status, TokenState
from lib.domain.tokens import OwnToken
from lib.operations import activity
from lib.operations.activity import PersonView
from lib.ui.activity import event_table, keyset_pager, off_boarding
from lib.ui.activity.event_table import PAGE
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import UNKNOWN, render_definitions
from lib.ui.components.filters import filter_row
from lib.ui.components.message import render_message
from lib.ui.components.row_height import table_height
from lib.ui.navigation import activity_links
from lib.ui.navigation.activity_links import Link
from lib.wording.activity import token_end, token_start
from lib.wording.formats import day, plain
from lib.wording.labels import ROLES, STATUS

_FEW = 12
_EVENTS, _ENDED = "person_events", "person_ended"
_ENDED_ROWS = 25
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
_SIGNS = {TokenState.ACCEPTED: "✓", TokenState.PENDING: "Pending"}


def render_person(actor: Actor, username: str) -> None:
    """Draw the person, or a message that there is none."""
    view = activity.open_person(app_context().engine, app_context().clock, actor, username)
    if view is None:
        st.header("Activity", anchor=False)
        st.warning(f"There is no user {plain(username[:60])}.", icon=":material/person_off:")
        activity_links.render_back_link()
        return
    st.header(plain(view.person.name or view.person.username), anchor=False)
    activity_links.render_back_link()
    render_message()
    off_boarding.render_off_boarding_receipt()
    render_definitions(_facts(view))
    _render_live(view)
    off_boarding.render_off_boarding(actor, view)
    _render_ended(actor, view)
    _render_events(actor, view)


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
    st.subheader("Tokens and requests", anchor=False)
    if not view.live:
        here = "" if view.everywhere else " in the organizations that you may see"
        st.caption(f"Nothing works or is pending{here}.")
        return
    dates = {name: _days() for name in ("Since", "Last used", "Expires")}
    st.dataframe(
        pd.DataFrame(
            [_live_line(token) for token in view.live],
            columns=["Organization", "Service", "API Token", "Token", *dates],
        ),
        hide_index=True,
        row_height=34,
        height=table_height(len(view.live), 6),
        column_config=dates
        | {
            "API Token": st.column_config.MultiselectColumn(
                width=112, options=["✓", "Pending"], color=["green", "orange"]
            )
        },
        placeholder=UNKNOWN,
        alt="Live tokens and requests of this person",
    )


def _live_line(token: OwnToken) -> tuple[Any, ...]:
    requested = token.origin is Origin.REQUEST and token.state is TokenState.PENDING
    return (
        f"{token.organization_name} · {token.organization_id}",
        token.service_name,
        [_SIGNS[token.state]],
        f"{token.hint}…" if token.hint else "Requested" if requested else "",
        day(token.created_at),
        day(token.last_used_at),
        day(token.expires_at),
    )


def _render_ended(actor: Actor, view: PersonView) -> None:
    """Draw the ended tokens and requests, the last ended first."""
    username = view.person.username
    moment, _, token_id = keyset_pager.page_start(_ENDED, (actor.username, username)).partition(" ")
    before = (int(moment), token_id) if moment else None
    shared = app_context()
    rows, older = activity.list_ended_tokens(
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
        row_height=34,
        height=table_height(len(rows), 6),
        column_config=dates
        | {
            "Began": st.column_config.TextColumn(width=150),
            "How it ended": st.column_config.TextColumn(width=190),
        },
        placeholder=UNKNOWN,
        alt="Ended tokens and requests of this person",
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


def _render_events(actor: Actor, view: PersonView) -> None:
    """Draw the events by the person, and the events about the person by name."""
    st.subheader("Activity", anchor=False)
    wanted = ActivityFilter(Group.EVERYTHING, view.person.username)
    before = keyset_pager.page_start(_EVENTS, (actor.username, wanted))
    page = activity.list_events(app_context().engine, actor, wanted, before=before, limit=PAGE)
    if not page.rows:
        st.caption("No activity by this person, or about this person by name.")
        return
    event_table.render_event_table(
        page.rows, app_context().clock(), "person_events_table", "Activity of this person"
    )
    with filter_row("person_foot"):
        event_table.open_operation(page.rows, "person_open_operation")
        st.space("stretch")
        keyset_pager.render_pager(_EVENTS, page.rows[-1].event_id if page.older else "")


def _days() -> Any:  # noqa: ANN401 - a column's configuration
    return st.column_config.DateColumn(width=96, format="MMM D, YYYY")
