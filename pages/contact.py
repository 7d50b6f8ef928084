"""Organization Contact Information: who an organization is and how to reach it."""

import streamlit as st

from lib.ui import places
from lib.ui.facts import show_facts, warn_when_inactive
from lib.ui.wording import STATUS, TYPES

st.header("Organization Contact Information", anchor=False)
organization = places.organization().organization

warn_when_inactive(organization)
show_facts(
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
st.page_link(
    "services.py",
    label=":blue[Services]",
    icon=":material/apps:",
    query_params=places.parameters(organization.organization_id),
)
