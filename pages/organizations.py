"""Organizations: find one and open it, by its name or by its status."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import directory
from lib.ui import guard, organization_list, places
from lib.ui.desk import desk

st.header("Organizations", anchor=False)
actor = guard.need(Permission.READ)

wanted, order = organization_list.ask(
    directory.states(desk().engine, actor), directory.services(desk().engine)
)
total, listed = directory.list_organizations(
    desk().engine,
    desk().clock,
    actor,
    wanted,
    order=order,
    offset=organization_list.first_row(),
    limit=organization_list.ROWS,
)
if total and not listed:
    organization_list.go_to_first_page()
    st.rerun()
if not listed:
    organization_list.show_none(wanted)
    st.stop()

pressed = organization_list.show(listed)
organization_list.turn_pages(total, len(listed))
if pressed:
    st.switch_page("contact.py", query_params=places.parameters(pressed.organization_id))
