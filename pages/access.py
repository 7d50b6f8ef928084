"""Access: who may do what, and where."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui import guard

st.header("Access", anchor=False)
actor = guard.need(Permission.ACCESS)
