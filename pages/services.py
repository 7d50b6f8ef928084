"""Organization Services: subscriptions with links to their licenses; service credentials."""

import streamlit as st

from lib.operations import directory
from lib.ui.app_context import app_context
from lib.ui.components.definition_list import warn_when_inactive
from lib.ui.navigation import scope
from lib.ui.organizations import credential_list, service_list

st.header("Organization Services", anchor=False)
here = scope.require_organization()
organization = here.organization

warn_when_inactive(organization)
if not here.subscriptions:
    service_list.render_no_services(organization.name)
    st.stop()

covered = directory.read_organization_coverage(
    app_context().engine, app_context().clock, here.actor, organization.organization_id
)
service_list.render_services(here.subscriptions, {row.service_id: row for row in covered})
credential_list.render_credentials(here.actor, here.subscriptions)
credential_list.confirm_end()
