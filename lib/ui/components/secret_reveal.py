"""A secret that its maker sees once: for ten minutes, or until it was copied or the page left."""

import streamlit as st

from lib.operations.one_time_secrets import SecretKey
from lib.ui.app_context import app_context
from lib.ui.session import session

_LOOK_AGAIN = "10s"  # how soon the page notices that the ten minutes are over


@st.fragment(run_every=_LOOK_AGAIN)
def render_secret(key: SecretKey, heading: str, caption: str, gone: str, *, width: int) -> None:
    """Draw the secret of `key` until it is gone, and say `gone` then.

    The session's `shown_token` names what is shown. `caption` and `gone` are Markdown.
    """
    secret = app_context().one_time_secrets.get(key)
    if secret is None:
        session().shown_token, session().notice = "", gone
        st.rerun()
    with st.container(border=True, gap="xsmall", width=width):
        st.markdown(f"**{heading}**")
        st.caption(caption)
        st.code(secret.decode(), language=None, wrap_lines=True)
        st.caption(
            "This is the only time it is shown: for ten minutes, or until you leave this page. "
            "Keep it like a password."
        )
        if st.button("I have copied it", on_click=_forget, args=(key,)):
            st.rerun()


def _forget(key: SecretKey) -> None:
    app_context().one_time_secrets.drop(key)
    session().shown_token = session().notice = ""
