"""The box of a receipt, with `Done`, and the receipt of an act that made several operations."""

from collections.abc import Callable, Sequence

import streamlit as st

from lib.domain.operations import Receipt
from lib.streamlit_internals.elements import Container
from lib.wording.formats import clock_time, plain

_FEW = 12


def receipt_box(heading: str, close: Callable[[], None], key: str, *, badge: str = "") -> Container:
    """Draw the heading, a badge and `Done`; return the box, for what comes below them.

    `heading` is Markdown. `close` runs when `Done` is pressed.
    """
    box = st.container(border=True, gap="xsmall", key=f"{key}_receipt")
    with box, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{heading}**", width="content")
        if badge:
            st.badge(badge, icon=":material/schedule:", color="orange")
        st.space("stretch")
        st.button(
            "Done", type="tertiary", icon=":material/close:", on_click=close, key=f"{key}_done"
        )
    return box


def render_batch_receipt(
    receipts: Sequence[Receipt],
    heading: str,
    draw: Callable[[int, Receipt], None],
    close: Callable[[], None],
    key: str,
) -> None:
    """Draw the receipt of one act that made several operations.

    `draw(number, receipt)` draws the link to an operation, for the first 12 of them. `close` runs
    when `Done` is pressed.
    """
    with receipt_box(heading, close, key):
        first = receipts[0]
        st.markdown(f":small[{clock_time(first.confirmed_at)} by {plain(first.actor)}.]")
        with st.container(gap=None):
            for number, receipt in enumerate(receipts[:_FEW]):
                draw(number, receipt)
        if len(receipts) > _FEW:
            st.caption(f"{len(receipts) - _FEW:,} more are on Activity.")
