"""A new secret on a page, shown once to the person who made it.

It is gone after ten minutes, when the person presses `I have copied it`, or when they leave the
page.
"""

from dataclasses import dataclass

import streamlit as st

from lib.operations.secret_retention import SecretKey
from lib.ui.app_context import app_context
from lib.ui.components import message
from lib.ui.session import reset

_CHECK_EVERY = "10s"  # how soon the page notices that the ten minutes are over


@dataclass
class ShownSecret:
    """Which new secret the page shows: the id of its token or credential; empty for none."""

    made_by: str = ""


@st.fragment(run_every=_CHECK_EVERY)
def render_secret(key: SecretKey, heading: str, caption: str, gone: str, *, width: int) -> None:
    """Draw the secret of `key`. When it is gone, rerun the page with `gone` as the message.

    `caption` and `gone` are Markdown; `width` is in pixels.
    """
    secret = app_context().one_time_secrets.get(key)
    if secret is None:
        reset(ShownSecret)
        message.note(gone)
        st.rerun()
    with st.container(border=True, gap="xsmall", width=width):
        st.markdown(f"**{heading}**")
        st.caption(caption)
        st.code(secret.decode(), language=None, wrap_lines=True)
        st.caption(
            "It is shown only once: for ten minutes, or until you leave this page. "
            "Keep it like a password."
        )
        if st.button("I have copied it", on_click=_forget, args=(key,)):
            st.rerun()


def _forget(key: SecretKey) -> None:
    app_context().one_time_secrets.drop(key)
    reset(ShownSecret)
