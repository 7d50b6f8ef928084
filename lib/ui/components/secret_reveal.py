"""A new secret on a page, shown once to the person who made it.

It is gone after ten minutes, or when the person presses `I have copied it` or signs out. Until then
it is there again when they come back to the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from lib.operations.secret_retention import SecretKey
from lib.ui.app_context import app_context
from lib.ui.components import message
from lib.ui.session import page_state, reset

_CHECK_EVERY = "10s"  # how soon the page notices that the ten minutes are over


@dataclass
class ShownSecret:
    """Which new secret the page shows: the id of its token or credential; empty for none."""

    made_by: str = ""


def shown_secret(keys: Iterable[SecretKey]) -> str:
    """Return which new secret the page shows: the one made on it, else the first that is kept.

    Empty for none. `keys` are those of all secrets that the page could show.
    """
    shown, secrets = page_state(ShownSecret), app_context().one_time_secrets
    if not shown.made_by:
        shown.made_by = next((key.made_by for key in keys if secrets.seconds_left(key)), "")
    return shown.made_by


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
            "It is shown for ten minutes, until you have copied it or sign out, and never again. "
            "Keep it like a password."
        )
        if st.button("I have copied it", on_click=_forget, args=(key,)):
            st.rerun()


def _forget(key: SecretKey) -> None:
    app_context().one_time_secrets.drop(key)
    reset(ShownSecret)
