"""Organization Services: what an organization subscribes to; each service opens its license."""

import streamlit as st

from lib.operations import directory
from lib.ui import credential_list, places, service_list
from lib.ui.desk import desk
from lib.ui.facts import warn_when_inactive

st.header("Organization Services", anchor=False)
here = places.organization()
organization = here.organization

warn_when_inactive(organization)
if not here.subscriptions:
    service_list.show_none(organization.name)
    st.stop()

covered = directory.read_organization_coverage(
    desk().engine, desk().clock, here.actor, organization.organization_id
)
service_list.show(here.subscriptions, {row.service_id: row for row in covered})
credential_list.show(here.actor, here.subscriptions)
credential_list.confirm_end()
