"""The bar at the bottom of the page: how many users are selected, and the Actions menu."""

import streamlit as st

from lib.domain.access import Actor
from lib.domain.actions import ACTIONS, action_name
from lib.domain.directory import Subscription
from lib.domain.states import Action, ExistingTokens
from lib.operations.actions import needs_approval, plan_action
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message
from lib.ui.navigation.scope import OpenScope
from lib.ui.session import OpenConfirmation, session, set_value, value
from lib.ui.tokens.token_table import VisibleUsers
from lib.ui.tokens.tokens_state import tokens_state
from lib.ui.undo import undo_dialog

REASON = "confirm_reason"
_ACTIONS = "tokens_actions"


def render_action_bar(here: OpenScope, chosen: Subscription, shown: VisibleUsers) -> None:
    """Draw the count, the selection buttons and the Actions menu; nothing without a permission."""
    allowed = allowed_actions(here.actor, chosen.organization_id)
    if not allowed:
        return
    number = len(tokens_state().selected)
    with (
        st.bottom,
        st.container(
            horizontal=True, vertical_alignment="center", gap="xsmall", key="tokens_actions_bar"
        ),
    ):
        st.markdown(_selected_sentence(), width="content")
        matching = len(shown.matching)
        st.button(
            "Select page", on_click=_select, args=(shown.on_page,), disabled=not shown.on_page
        )
        st.button(
            f"Select all {matching:,} matching",
            on_click=_select,
            args=(shown.matching,),
            disabled=not matching,
        )
        st.button("Clear", on_click=_clear, disabled=not number, key="tokens_clear")
        st.space("stretch")
        st.selectbox(
            "Actions",
            allowed,
            index=None,
            key=_ACTIONS,
            placeholder="Actions",
            label_visibility="collapsed",
            format_func=lambda action: action_name(action, number),
            on_change=_choose,
            args=(chosen,),
            disabled=not number,
            width=240,
        )


def allowed_actions(actor: Actor, organization_id: str) -> list[Action]:
    """Return the actions that `actor` may do in an organization, in the order of the menu."""
    return [a for a in Action if actor.may(ACTIONS[a].permission, organization_id)]


def _selected_sentence() -> str:
    selected = tokens_state().selected
    if not selected:
        return "None selected"
    hidden = len(selected - tokens_state().matching_users.members)
    tail = f", {hidden:,} not shown" if hidden else ""
    return f"**{len(selected):,} selected**{tail}"


def _select(member_ids: list[str]) -> None:
    tokens_state().select(tokens_state().selected | set(member_ids))


def _clear() -> None:
    tokens_state().select(set())


def _choose(chosen: Subscription) -> None:
    """Plan the chosen action, open its first confirmation, and empty the menu."""
    action = value(_ACTIONS)
    set_value(_ACTIONS, None)
    if action in set(Action):  # a browser can send any value
        plan(Action(action), chosen.organization_id, chosen.service_id)


def plan(
    action: Action,
    organization_id: str,
    service_id: str,
    existing_tokens: ExistingTokens = ExistingTokens.STOP,
) -> None:
    """Plan `action` for the selected users, and open its first confirmation.

    An error of ours becomes the message of the next run.
    """
    set_value(REASON, "")
    undo_dialog.close_receipt()
    unit_of_work = app_context().unit_of_work
    with message.errors_as_message():
        made = plan_action(
            unit_of_work,
            permissions.current_user(),
            action,
            organization_id,
            service_id,
            sorted(tokens_state().selected),
            existing_tokens,
        )
        session().open_confirmation = OpenConfirmation(
            made, needs_approval=needs_approval(unit_of_work, made)
        )
