"""A sign in a confirmation: whether it ends something. The colour never stands alone."""

import streamlit as st


def render_consequence(tokens: int, pending: int) -> None:
    """Draw the sign for the numbers of working tokens and of pending ones that end."""
    if tokens:
        st.badge("Ends working tokens", icon=":material/block:", color="red")
    elif pending:
        st.badge("Ends what is pending", icon=":material/hourglass_disabled:", color="orange")
    else:
        st.badge("Ends nothing", icon=":material/check_circle:", color="green")
