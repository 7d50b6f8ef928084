"""Access: who has which role in which organizations; grant and revoke roles."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import grants
from lib.ui.access import access_form, access_list
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components.message import render_message

st.header("Access", anchor=False)
actor = permissions.require_permission(Permission.ACCESS)

render_message(width=access_form.WIDTH)
access_form.render_grant_form(actor)
access_list.render_grants(actor, grants.list_grants(app_context().engine, actor))
access_form.render_role_table()
