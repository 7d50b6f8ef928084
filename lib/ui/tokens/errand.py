"""On arrival from a saved view: its users are selected, one organization after the other."""

from dataclasses import dataclass

import streamlit as st

from lib.domain.actions import ACTIONS, action_name
from lib.domain.directory import Subscription
from lib.domain.plural import counted
from lib.domain.worries import VIEWS
from lib.operations import worries
from lib.ui.app_context import app_context
from lib.ui.navigation import scope
from lib.ui.navigation.scope import OpenScope
from lib.ui.session import Errand, page_state, session
from lib.ui.tokens.tokens_state import tokens_state
from lib.wording.formats import plain


@dataclass
class _Arrived:
    """How many users were selected on arrival; None before."""

    users: int | None = None


def render_errand(here: OpenScope, chosen: Subscription) -> None:
    """Select the users of the view once, and draw who they are, what helps, and what is left.

    Nothing happens where the open organization and service are not those of the errand.
    """
    errand = session().errand
    if errand is None:
        return
    place = errand.open_place
    if (place.organization_id, place.service_id) != (chosen.organization_id, chosen.service_id):
        return
    arrived = page_state(_Arrived)
    if arrived.users is None:
        context = app_context()
        ids = worries.member_ids(
            context.engine,
            context.clock,
            here.actor,
            errand.view,
            chosen.organization_id,
            chosen.service_id,
        )
        tokens_state().select(set(ids))
        arrived.users = len(ids)
    with st.container(horizontal=True, vertical_alignment="center", key="tokens_errand"):
        st.caption(_sentence(here, errand, arrived.users), width="content")
        if errand.left:
            following = errand.left[0]
            name = f"{plain(following.organization_name)}, {plain(following.service_name)}"
            st.button(
                f"Next: {name}", on_click=_go_on, type="tertiary", icon=":material/skip_next:"
            )
        st.button("End", on_click=_end, type="tertiary", key="tokens_errand_end")


def _sentence(here: OpenScope, errand: Errand, users: int) -> str:
    """Return as Markdown who is selected, which actions help, and how many are left."""
    allowed = [
        action
        for action in VIEWS[errand.view.view].actions
        if here.actor.may(ACTIONS[action].permission, here.organization.organization_id)
    ]
    selected = f"{counted(users, 'user')} selected: {errand.view.title}."
    names = " or ".join(f"*{action_name(action, users)}*" for action in allowed)
    helps = f" {names} under Actions helps." if names else ""
    if len(errand.places) == 1:
        return f"{selected}{helps}"
    people = sum(place.people for place in errand.left)
    left = f" Left: {counted(len(errand.left), 'list')} with {counted(people, 'user')}."
    return f"{selected}{helps}{left if errand.left else ' This is the last list.'}"


def _go_on() -> None:
    """Open the next organization and service of the errand."""
    errand = session().errand
    if errand and errand.left:
        session().errand = errand._replace(at=errand.at + 1)
        following = errand.left[0]
        scope.set_scope(following.organization_id, following.service_id)


def _end() -> None:
    session().errand = None
