"""Whom a plan changes: the table in its confirmation, the last used first."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from lib.domain.actions import ACTIONS
from lib.domain.plan import Plan
from lib.domain.tokens import AffectedUser
from lib.operations.token_list import affected_users
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components.filters import search_field
from lib.ui.session import page_state
from lib.wording.formats import day
from lib.wording.labels import HOLDINGS

FIRST = 200
_SEARCH = "affected_search"
_FEW = 20
_ROW, _TALL = 30, 168  # pixels


@dataclass
class _AffectedState:
    """The rows that were read last: once for each plan and search."""

    made_from: tuple[str, str] = ("", "")
    users: tuple[AffectedUser, ...] = ()
    number: int = 0


def render_affected_users(plan: Plan) -> None:
    """Draw who is affected: the first 200, with a search where there are many; nothing for none."""
    changed = plan.preview.changed
    if not changed:
        return
    st.markdown(f"**{ACTIONS[plan.action].whom}** ({changed:,}), last used first")
    search = ""
    if changed > _FEW:
        search = search_field("Search them", "Name, username or email", _SEARCH, 360, kept=False)
    found = _read(plan, search)
    if found.users:
        _table(found.users)
    else:
        st.caption("No users match. Try fewer letters.")
    if found.number > FIRST:
        st.caption(
            f"The first {FIRST} of {found.number:,}. The results of the operation name them all."
        )


def _read(plan: Plan, search: str) -> _AffectedState:
    found, made_from = page_state(_AffectedState), (plan.operation_id, search)
    if found.made_from != made_from:
        shared, actor = app_context(), permissions.current_user()
        users, found.number = affected_users(
            shared.engine, shared.clock, actor, plan, search, FIRST
        )
        found.users, found.made_from = tuple(users), made_from
    return found


def _table(users: tuple[AffectedUser, ...]) -> None:
    frame = pd.DataFrame(
        [(u.name, HOLDINGS[u.holding], day(u.last_used_at), u.username) for u in users],
        columns=["Name", "Has now", "Last used", "Username"],
    )
    column = st.column_config
    st.dataframe(
        frame,
        hide_index=True,
        row_height=_ROW,
        height="content" if len(frame) * _ROW < _TALL else _TALL,
        placeholder="–",
        alt="Users who are affected, last used first",
        column_config={
            "Name": column.TextColumn(width=116),
            "Has now": column.TextColumn(width=104),
            "Last used": column.DateColumn(width=108, format="MMM D, YYYY"),
            "Username": column.TextColumn(width=100),
        },
    )
