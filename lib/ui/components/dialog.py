"""Parts of confirmation dialogs: reason, buttons, changed users, and the receipt of a batch."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from lib.domain.audit import LONGEST_REASON
from lib.domain.errors import PlanOutdatedError
from lib.domain.operations import Receipt
from lib.streamlit_internals.elements import Container
from lib.ui.components import skipped_users
from lib.wording.formats import clock_time, plain
from lib.wording.labels import HOLDINGS

_FEW = 12


def reason_field(key: str) -> None:
    """Draw the field for the reason; its text goes into the audit trail."""
    st.text_input(
        "Reason (optional)",
        key=key,
        max_chars=LONGEST_REASON,
        placeholder="For the audit trail, such as a ticket number",
    )


def dialog_buttons() -> Container:
    """Return the row for a dialog's buttons: first the one that cancels, then the one that acts."""
    return st.container(horizontal=True, horizontal_alignment="right")


def render_changed_users(error: Exception) -> None:
    """Draw the users whose tokens changed since the plan; nothing for any other error."""
    if isinstance(error, PlanOutdatedError) and error.changed:
        skipped_users.render_small_table(
            pd.DataFrame(
                [(u.name, u.username, HOLDINGS[u.was], HOLDINGS[u.now]) for u in error.changed],
                columns=["Name", "Username", "Was", "Is now"],
            ),
            "Users whose tokens changed",
        )


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
    with st.container(border=True, gap="xsmall", key=f"{key}_receipt"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{heading}**", width="content")
            st.space("stretch")
            st.button(
                "Done",
                type="tertiary",
                icon=":material/close:",
                on_click=close,
                key=f"{key}_done",
            )
        first = receipts[0]
        st.markdown(f":small[{clock_time(first.confirmed_at)} by {plain(first.actor)}.]")
        with st.container(gap=None):
            for number, receipt in enumerate(receipts[:_FEW]):
                draw(number, receipt)
        if len(receipts) > _FEW:
            st.caption(f"{len(receipts) - _FEW:,} more are on Activity.")
