"""One user: organizations, roles, tokens and requests, off-boarding, and history."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui.auth import permissions
from lib.ui.session import session
from lib.ui.users import person_view

actor = permissions.require_permission(Permission.READ)
username = st.query_params.get("user", "")
session().open_view(username)
person_view.render_person(actor, username)
