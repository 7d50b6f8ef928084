"""The license of one service: its number, plan, dates and seats; on to its notifications."""

import streamlit as st

from lib.operations import directory
from lib.ui import expiry_form, places
from lib.ui.desk import desk
from lib.ui.facts import date_text, seats_text, show_facts, warn_when_inactive
from lib.ui.wording import STATUS, plain

here, subscription = places.subscription()
st.header(f"{plain(subscription.service_name)} License", anchor=False)
warn_when_inactive(here.organization)

organization_id, service_id = subscription.organization_id, subscription.service_id
covered = directory.read_organization_coverage(
    desk().engine, desk().clock, here.actor, organization_id
)
accepted = {row.service_id: row.accepted for row in covered}

show_facts(
    {
        "License number": subscription.license_number,
        "Plan": subscription.plan,
        "Start": date_text(subscription.starts_on),
        "Renewal": date_text(subscription.renews_on),
        "Seats used": seats_text(accepted.get(service_id), subscription.seats),
        "Status": STATUS[subscription.status],
        "Since": date_text(subscription.since),
    }
)
st.caption("A seat is used by each active user with an accepted token.")
expiry_form.show(here, subscription)
st.page_link(
    "notifications.py",
    label=":blue[Notifications]",
    icon=":material/notifications:",
    query_params=places.parameters(organization_id, service_id),
)
