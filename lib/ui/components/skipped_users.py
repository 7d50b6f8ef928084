"""The table of skipped users and their reasons, for confirmations and receipts."""

import pandas as pd
import streamlit as st

from lib.domain.operations import SkippedUser
from lib.wording.formats import plain

_FEW = 8
_TALL = 300  # pixels


def render_skipped(skipped: tuple[SkippedUser, ...], note: str = "") -> None:
    """Draw the heading with the number and a `note`, and the table; one user is a line."""
    if len(skipped) == 1:
        (user,) = skipped
        facts = ", ".join(map(plain, (user.name, user.username, user.reason.value)))
        st.markdown(f"**Skipped** (1): {facts}")
    elif skipped:
        st.markdown(f"**Skipped** ({len(skipped):,}){note}")
        render_skipped_users(skipped)


def render_skipped_users(skipped: tuple[SkippedUser, ...]) -> None:
    """Draw a table of the skipped users: name, username and reason."""
    frame = pd.DataFrame(
        [(u.name, u.username, u.reason.value.capitalize()) for u in skipped],
        columns=["Name", "Username", "Reason"],
    )
    render_small_table(frame, "Skipped users")


def render_small_table(frame: pd.DataFrame, alt: str) -> None:
    """Draw up to 8 rows in full height; more rows get a scroll bar. `alt` describes the table."""
    st.dataframe(frame, hide_index=True, height="content" if len(frame) <= _FEW else _TALL, alt=alt)
