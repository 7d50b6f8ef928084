"""Who is left alone, and why: listed in the confirmation and in the receipt."""

import pandas as pd
import streamlit as st

from lib.domain.operations import SkippedUser

_FEW = 8
_TALL = 300  # pixels


def render_skipped_users(skipped: tuple[SkippedUser, ...]) -> None:
    """Draw the skipped users with the reason of each."""
    frame = pd.DataFrame(
        [(u.name, u.username, u.reason.value.capitalize()) for u in skipped],
        columns=["Name", "Username", "Reason"],
    )
    render_small_table(frame, "Skipped users")


def render_small_table(frame: pd.DataFrame, alt: str) -> None:
    """Draw a short table whole, a long one with its own scroll bar."""
    st.dataframe(frame, hide_index=True, height="content" if len(frame) <= _FEW else _TALL, alt=alt)
