"""The bar under the table, always in sight: how many are selected, and what to do with them."""

import streamlit as st

from lib.domain.roles import Permission
from lib.domain.rows import Actor, Subscription
from lib.domain.states import Action
from lib.operations.actions import plan_action
from lib.ui import guard
from lib.ui.desk import desk
from lib.ui.places import Here
from lib.ui.session import Confirming, put, session, value
from lib.ui.token_table import Shown
from lib.ui.wording import action_name

REASON = "confirm_reason"
_ACTIONS = "tokens_actions"


def show(here: Here, chosen: Subscription, shown: Shown) -> None:
    """Draw the count, the buttons of the selection and the Actions that the person may choose."""
    allowed = allowed_actions(here.actor, chosen.organization_id)
    if not allowed:
        return
    number = len(session().selected)
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
    """Return what `actor` may do to the users of an organization, in the order of the menu."""
    return [a for a in Action if actor.may(Permission(a.value), organization_id)]


def _selected_sentence() -> str:
    selected = session().selected
    if not selected:
        return "None selected"
    hidden = len(selected - session().matching.members)
    tail = f", {hidden:,} not shown" if hidden else ""
    return f"**{len(selected):,} selected**{tail}"


def _select(member_ids: list[str]) -> None:
    session().select(session().selected | set(member_ids))


def _clear() -> None:
    session().select(set())


def _choose(chosen: Subscription) -> None:
    """Plan the chosen action and open its first confirmation; the menu goes back to its name."""
    action = value(_ACTIONS)
    put(_ACTIONS, None)
    if action in set(Action):  # a browser can send anything
        plan(Action(action), chosen.organization_id, chosen.service_id)


def plan(action: Action, organization_id: str, service_id: str) -> None:
    """Freeze what `action` would do to the selected users, and open the first confirmation."""
    put(REASON, "")
    with guard.noticing():
        session().confirming = Confirming(
            plan_action(
                desk().ledger,
                guard.current(),
                action,
                organization_id,
                service_id,
                sorted(session().selected),
            )
        )
