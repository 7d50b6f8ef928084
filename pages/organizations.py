"""Organizations: find one, and open it with its name or its status button."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import directory, users
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import CONTACT
from lib.ui.organizations import organization_list

st.header("Organizations", anchor=False)
actor = permissions.require_permission(Permission.READ)

wanted, order = organization_list.organization_filters(
    directory.states(app_context().engine, actor), directory.services(app_context().engine)
)
total, listed = directory.list_organizations(
    app_context().engine,
    app_context().clock,
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
    found = users.search(
        app_context().engine,
        app_context().clock,
        actor,
        wanted.search,
        app_context().minting.prefix,
        organization_list.USERS_INSTEAD,
    )
    organization_list.render_no_organizations(wanted, found)
    st.stop()

pressed = organization_list.render_organizations(listed)
organization_list.render_pager(total, len(listed))
if pressed:
    links.open_page(CONTACT, scope.query_params(pressed.organization_id))
