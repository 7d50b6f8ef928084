"""Help: what ✓ and Pending mean, and the manual's tasks, each with a link to its page."""

import streamlit as st

from lib.ui.auth import permissions
from lib.ui.help import topics

st.header("Help", anchor=False)

st.markdown(
    "- **✓** means that the user has accepted the token, or has used it.\n"
    "- **Pending** means that a token was requested or handed out, and the user has neither "
    "accepted nor used it yet.\n"
    "- **✓ and Pending** means both: the token that the user has keeps working until the new one "
    "is accepted."
)
topics.render_topics(permissions.current_user())
