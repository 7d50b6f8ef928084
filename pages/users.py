"""Users: one search over people, organizations, operations and the visible part of tokens."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import users
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.users import user_hits

st.header("Users", anchor=False)
actor = permissions.require_permission(Permission.READ)

text = user_hits.users_search()
if not text.strip():
    user_hits.render_start(users.directory_size(app_context().engine, actor))
    st.stop()
found = users.search(
    app_context().engine,
    app_context().clock,
    actor,
    text,
    app_context().minting.prefix,
    user_hits.ROWS,
)
user_hits.render_hits(found, text)
