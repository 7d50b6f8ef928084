"""Organization Contact Information: name, status, contact person, address and the like."""

import streamlit as st

from lib.ui.components.definition_list import render_definitions, warn_when_inactive
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import SERVICES
from lib.wording.labels import STATUS, TYPES

st.header("Organization Contact Information", anchor=False)
organization = scope.require_organization().organization

warn_when_inactive(organization)
render_definitions(
    {
        "Name": organization.name,
        "Organization ID": organization.organization_id,
        "Status": STATUS[organization.status],
        "Type": TYPES[organization.type],
        "State": organization.state,
        "Contact person": organization.contact_person,
        "Primary recorder": organization.primary_recorder,
        "Address": organization.address,
        "Telephone": organization.telephone,
        "Fax": organization.fax,
        "Web page": organization.web_page,
        "Hours": organization.hours,
        "Document types accepted": organization.document_types,
    }
)
links.page_link(SERVICES, scope.query_params(organization.organization_id))
