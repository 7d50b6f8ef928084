"""Activity: what was done, by whom, to whom; newest first."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui import guard

st.header("Activity", anchor=False)
actor = guard.need(Permission.ACTIVITY)
