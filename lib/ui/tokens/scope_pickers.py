"""The two dropdowns of the manual: first Organization, then Service (ruling 8)."""

import streamlit as st

from lib.domain.directory import Subscription
from lib.domain.states import Status
from lib.operations import directory
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message
from lib.ui.components.filters import filter_row
from lib.ui.navigation import scope
from lib.ui.navigation.scope import OpenScope
from lib.ui.session import session, set_value, value

_ORGANIZATION = "tokens_organization"
_SERVICE = "tokens_service"


def render_scope_pickers(here: OpenScope, chosen: Subscription) -> None:
    """Draw both dropdowns, set to the open place. A choice opens another place."""
    names = directory.organization_names(app_context().engine, here.actor)
    offered = {s.service_id: s for s in here.subscriptions if _is_offered(s)}
    offered.setdefault(chosen.service_id, chosen)
    set_value(_ORGANIZATION, here.organization.organization_id)
    set_value(_SERVICE, chosen.service_id)
    with filter_row("tokens_scope"):
        st.selectbox(
            "Organization",
            list(names),
            key=_ORGANIZATION,
            format_func=lambda i: f"{names[i]} · {i}",
            on_change=_pick_organization,
            width=360,
        )
        st.selectbox(
            "Service",
            list(offered),
            key=_SERVICE,
            format_func=lambda i: _service_label(offered[i]),
            on_change=_pick_service,
            width=220,
        )


def _is_offered(subscription: Subscription) -> bool:
    """Tell whether to offer a service: an ended subscription stays while it has live tokens."""
    return subscription.status is Status.ACTIVE or subscription.live_tokens


def _service_label(subscription: Subscription) -> str:
    ended = "" if subscription.status is Status.ACTIVE else " (ended)"
    return f"{subscription.service_name}{ended}"


def _pick_organization() -> None:
    """Open the chosen organization; keep the service if the organization has it too."""
    picked = value(_ORGANIZATION)
    if not picked:
        return
    with message.errors_as_message():
        found = scope.find_organization(permissions.current_user(), picked)
        subscribed = [s.service_id for s in found[1] if _is_offered(s)] if found else []
        kept = session().place.service_id
        scope.set_scope(picked, kept if kept in subscribed else next(iter(subscribed), ""))


def _pick_service() -> None:
    picked = value(_SERVICE)
    if picked:
        scope.set_scope(session().place.organization_id, picked)
