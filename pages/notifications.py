"""Notifications of one service: which events, how and to whom; link to its API tokens."""

import streamlit as st

from lib.ui.components.definition_list import render_definitions, warn_when_inactive
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import TOKENS

st.header("Notifications", anchor=False)
here, subscription = scope.require_subscription()

warn_when_inactive(here.organization)
render_definitions(
    {
        "Service": subscription.service_name,
        "Document recorded": subscription.notify_recorded or "Not notified",
        "Document rejected": subscription.notify_rejected or "Not notified",
        "Fees changed": subscription.notify_fees or "Not notified",
        "Sent to": subscription.notify_to,
    }
)
links.page_link(TOKENS, scope.query_params(subscription.organization_id, subscription.service_id))
