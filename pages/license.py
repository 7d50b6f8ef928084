"""The license of one service: number, plan, dates, seats and expiry; link to notifications."""

import streamlit as st

from lib.operations import directory
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import (
    date_text,
    render_definitions,
    seats_text,
    warn_when_inactive,
)
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import NOTIFICATIONS
from lib.ui.organizations import expiry_form
from lib.wording.formats import plain
from lib.wording.labels import STATUS

here, subscription = scope.require_subscription()
st.header(f"{plain(subscription.service_name)} License", anchor=False)
warn_when_inactive(here.organization)

organization_id, service_id = subscription.organization_id, subscription.service_id
covered = directory.read_organization_coverage(
    app_context().engine, app_context().clock, here.actor, organization_id
)
accepted = {row.service_id: row.accepted for row in covered}

render_definitions(
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
expiry_form.render_expiry_form(here, subscription)
links.page_link(NOTIFICATIONS, scope.query_params(organization_id, service_id))
