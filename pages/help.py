"""Help: the manual's tasks, each with a link to where it is done; what ✓ and Pending mean."""

import streamlit as st

from lib.ui import guard, tasks

st.header("Help", anchor=False)

st.markdown(
    "- **✓** The user has accepted the token, or has used it: it is in use.\n"
    "- **Pending** A token was requested or handed out, and the user has neither accepted nor used "
    "it yet.\n"
    "- **✓ and Pending** A token is in use, and a new one waits; the old one works until the new "
    "one is accepted."
)
tasks.show(guard.current())
