"""The Recall page: find the tokens in a pasted text or a file, and end them.

The page drops the text as soon as it has searched it, and keeps only ids.
"""

from dataclasses import dataclass, field

import streamlit as st

from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.operations import recall
from lib.operations.leak_reader.reader import LeakSource, pasted
from lib.operations.recall import Recall
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.components.receipt_box import render_batch_receipt
from lib.ui.navigation import activity_links, links
from lib.ui.navigation.page_registry import ACTIVITY
from lib.ui.recall import found_tokens
from lib.ui.session import new_number, page_state, reset, set_value, value
from lib.wording.formats import plain
from lib.wording.sentences import receipt_sentence

_KEY, _TEXT, _REASON = "recall", "recall_text", "recall_reason"
_LONGEST = 5_000_000  # characters: a CSV of 20,000 tokens
_NOTHING = "Nothing was searched. Paste a text, or choose a file of up to 5 MB."
_WIDTH = 785


@dataclass
class _RecallState:
    """What the page remembers while it is open.

    `found` are leaked tokens that were found. `wide` tells whether the other tokens of the same
    operations were added, and `confirming` whether the confirmation is open.
    """

    found: Recall | None = None
    wide: bool = False
    confirming: bool = False
    error: Exception | None = None
    receipts: tuple[Receipt, ...] = ()
    #: A new key makes an empty field.
    file_key: str = field(default_factory=lambda: f"recall_file_{new_number()}")


def recall_input() -> None:
    """Draw the fields for a text or a file; only the error while tokens are shown."""
    message.render_message(width=_WIDTH)
    if page_state(_RecallState).found:
        return
    st.caption(
        "Were tokens found where they should not be, such as in a chat, a repository or a mail? "
        "Paste the text, or drop the whole file of any kind, archives too. It is searched and not "
        "kept."
    )
    st.text_area(
        "What was found",
        key=_TEXT,
        height=120,
        width=_WIDTH,
        max_chars=_LONGEST,
        placeholder="Anything with tokens in it: one, many, or a whole CSV",
    )
    st.file_uploader(
        "Or the file",
        key=page_state(_RecallState).file_key,
        width=_WIDTH,
        max_upload_size=5,
    )
    st.button("Look up", type="primary", on_click=_look_up, key="recall_look_up")


def current_recall() -> Recall | None:
    """Return what was found in the last text; None before a search and after `Another text`."""
    return page_state(_RecallState).found


def render_found_tokens(found: Recall) -> None:
    """Draw the found tokens with their owners, and the buttons."""
    found_tokens.render_found(found)
    with st.container(horizontal=True, vertical_alignment="center", key="recall_bar"):
        st.button("Another text", on_click=_clear, key="recall_away")
        if found.operations and not page_state(_RecallState).wide:
            st.button(
                "Add all that these operations made",
                on_click=_widen,
                key="recall_widen",
                help="If one line of a CSV has leaked, the other lines may have leaked too.",
            )
        st.space("stretch")
        if found.plans:
            st.button(
                f"End {counted(found.ending, 'token')} …",
                type="primary",
                on_click=_open_confirmation,
                key="recall_end",
            )


def confirm() -> None:
    """Draw the confirmation while it is open."""
    dialog.render_dialog(_describe)


def render_recall_receipt() -> None:
    """Draw what the last recall did, until `Done` is pressed."""
    receipts = page_state(_RecallState).receipts
    if receipts:
        ended = counted(sum(receipt.changed for receipt in receipts), "token")
        render_batch_receipt(receipts, f"{ended} ended", _render_link, _done, _KEY)


def _render_link(_number: int, receipt: Receipt) -> None:
    """Draw the link to one operation of the recall."""
    place = f"{plain(receipt.organization_id)} · {plain(receipt.service_id)}"
    links.page_link(
        ACTIVITY,
        activity_links.operation_link(receipt.organization_id, receipt.operation_id),
        label=f":blue[{receipt_sentence(receipt)}] {place}",
        icon="link",
    )


def _describe() -> Dialog | None:
    """Return the confirmation while it is open."""
    state = page_state(_RecallState)
    found = state.found
    if found is None or not state.confirming:
        return None
    return Dialog(
        _KEY,
        f"End {counted(found.ending, 'token')}?",
        "",
        body=lambda: _draw_plans(found),
        quiet=DialogButton("Cancel", f"{_KEY}_cancel", _close),
        primary=DialogButton("End them", f"{_KEY}_do", _end),
        dismiss=_close,
        error=state.error,
    )


def _draw_plans(found: Recall) -> bool:
    places = {(plan.scope.organization_id, plan.scope.service_id) for plan in found.plans}
    scattered = f" in {len(places):,} organizations and services" if len(places) > 1 else ""
    st.markdown(
        f"**{counted(found.ending, 'token')}**{scattered}: each **stops working at once**. "
        "Whatever still sends one of them is refused."
    )
    dialog.reason_field(_REASON)
    return True


# The callbacks of the buttons.


def _look_up() -> None:
    """Search the text and the file. Both are dropped, whatever the result."""
    sources = _sources()
    set_value(_TEXT, "")
    _clear()
    if not sources:
        message.refuse(_NOTHING)
        return
    with message.errors_as_message():
        page_state(_RecallState).found = recall.look_up(
            app_context().unit_of_work, permissions.current_user(), sources, app_context().minting
        )


def _sources() -> list[LeakSource]:
    """Return the text and the file, each only when there is something in it."""
    text, file = value(_TEXT, ""), value(page_state(_RecallState).file_key)
    sources = [pasted(text)] if text.strip() else []
    return [*sources, LeakSource(file.name, file)] if file and file.size else sources


def _widen() -> None:
    state = page_state(_RecallState)
    if state.found is None:
        return
    with message.errors_as_message():
        state.found = recall.widen(
            app_context().unit_of_work, permissions.current_user(), state.found
        )
        state.wide = True


def _open_confirmation() -> None:
    set_value(_REASON, "")
    page_state(_RecallState).confirming = True


def _close() -> None:
    """Close the dialog; after an error what was found is out of date, and goes too."""
    state = page_state(_RecallState)
    if state.error:
        _clear()
    state.confirming = False


def _end() -> None:
    """Execute the plans. A second click finds no open confirmation and does nothing."""
    state = page_state(_RecallState)
    if state.found is None or not state.confirming:
        return
    with message.errors_in(state):
        receipts = recall.end(
            app_context().unit_of_work,
            permissions.current_user(),
            state.found,
            reason=value(_REASON, ""),
        )
        _clear()
        page_state(_RecallState).receipts = receipts


def _clear() -> None:
    """Begin anew, with empty fields."""
    reset(_RecallState)


def _done() -> None:
    page_state(_RecallState).receipts = ()
