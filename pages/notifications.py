"""Notifications of one service: which events, how and to whom; on to its API tokens."""

import streamlit as st

from lib.ui import places
from lib.ui.facts import show_facts, warn_when_inactive

st.header("Notifications", anchor=False)
here, subscription = places.subscription()

warn_when_inactive(here.organization)
show_facts(
    {
        "Service": subscription.service_name,
        "Document recorded": subscription.notify_recorded or "Not notified",
        "Document rejected": subscription.notify_rejected or "Not notified",
        "Fees changed": subscription.notify_fees or "Not notified",
        "Sent to": subscription.notify_to,
    }
)
st.page_link(
    "api_tokens.py",
    label=":blue[API 2.0 Tokens]",
    icon=":material/vpn_key:",
    query_params=places.parameters(subscription.organization_id, subscription.service_id),
)
