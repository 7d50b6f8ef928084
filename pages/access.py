"""Access: who may do what, and where; granting a role, and taking it away."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import grants
from lib.ui import access_form, access_list, guard
from lib.ui.desk import desk

st.header("Access", anchor=False)
actor = guard.need(Permission.ACCESS)

access_form.show_messages()
access_form.ask(actor)
access_list.show(actor, grants.list_grants(desk().engine, actor))
access_form.show_roles()
