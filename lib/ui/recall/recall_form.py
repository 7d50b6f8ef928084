"""The Recall page: find the tokens in a pasted text or a file, and end them.

The page drops the text as soon as it has searched it, and keeps only ids.
"""

import streamlit as st

from lib.domain.errors import DeskError
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.operations import recall
from lib.operations.leak_reader.reader import LeakSource, pasted
from lib.operations.recall import Recall
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog
from lib.ui.navigation import activity_links
from lib.ui.recall.leak_view import render_leak
from lib.ui.session import OpenRecall, session, set_value, value
from lib.wording.formats import plain
from lib.wording.sentences import explain, receipt_sentence

_TEXT, _REASON, _FILE = "recall_text", "recall_reason", "recall_file"
_LONGEST = 5_000_000  # characters: a CSV of 20,000 tokens
_NOTHING = "Nothing was searched. Paste a text, or choose a file of up to 5 MB."
_WIDTH = 785


def recall_input() -> None:
    """Draw the fields for a text or a file; only the error while tokens are shown."""
    remembered = session()
    if remembered.flash_error:
        st.error(remembered.flash_error, icon=":material/error:", width=_WIDTH)
        remembered.flash_error = ""
    if remembered.open_recall:
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
        key=f"{_FILE}_{remembered.files_dropped}",
        width=_WIDTH,
        max_upload_size=5,
    )
    st.button("Look up", type="primary", on_click=_look_up, key="recall_look_up")


def current_recall() -> Recall | None:
    """Return what was found in the last text; None before a search and after `Another text`."""
    recalling = session().open_recall
    return recalling.recall if recalling else None


def render_found_tokens(found: Recall) -> None:
    """Draw the found tokens with their owners, and the buttons."""
    render_leak(found)
    with st.container(horizontal=True, vertical_alignment="center", key="recall_bar"):
        st.button("Another text", on_click=_clear, key="recall_away")
        if found.operations and not _is_wide():
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
    recalling = session().open_recall
    if recalling and recalling.confirming:
        title = f"End {counted(recalling.recall.ending, 'token')}?"
        st.dialog(title, width="medium", on_dismiss=_close)(_confirm)(recalling)


def render_recall_receipt() -> None:
    """Draw what the last recall did, until `Done` is pressed."""
    receipts = session().recall_receipts
    if not receipts:
        return
    ended = sum(receipt.changed for receipt in receipts)
    dialog.render_batch_receipt(
        receipts, f"{counted(ended, 'token')} ended", _render_link, _done, "recall"
    )


def _render_link(_number: int, receipt: Receipt) -> None:
    """Draw the link to one operation of the recall."""
    place = f"{plain(receipt.organization_id)} · {plain(receipt.service_id)}"
    st.page_link(
        "activity.py",
        label=f":blue[{receipt_sentence(receipt)}] {place}",
        icon=":material/link:",
        query_params=activity_links.operation_link(receipt.organization_id, receipt.operation_id),
    )


def _confirm(recalling: OpenRecall) -> None:
    found = recalling.recall
    if recalling.error:
        st.error(explain(recalling.error), icon=":material/error:")
        dialog.render_changed_users(recalling.error)
        if st.button("Close", on_click=_clear, key="recall_close"):
            st.rerun()
        return
    places = {(plan.scope.organization_id, plan.scope.service_id) for plan in found.plans}
    scattered = f" in {len(places):,} organizations and services" if len(places) > 1 else ""
    st.markdown(
        f"**{counted(found.ending, 'token')}**{scattered}: each **stops working at once**. "
        "Whatever still sends one of them is refused."
    )
    dialog.reason_field(_REASON)
    st.caption("Nothing has changed yet.")
    with dialog.dialog_buttons():
        cancel = st.button("Cancel", on_click=_close, key="recall_cancel")
        go = st.button("End them", type="primary", on_click=_end, key="recall_do")
    if cancel or go:
        st.rerun()


def _is_wide() -> bool:
    recalling = session().open_recall
    return bool(recalling and recalling.wide)


def _look_up() -> None:
    """Search the text and the file. Both are dropped, whatever the result."""
    sources = _sources()
    set_value(_TEXT, "")
    session().files_dropped += 1
    session().recall_receipts = ()
    if not sources:
        session().flash_error = _NOTHING
        return
    with permissions.errors_as_flash():
        result = recall.look_up(
            app_context().unit_of_work, permissions.current_user(), sources, app_context().minting
        )
        session().open_recall = OpenRecall(result)


def _sources() -> list[LeakSource]:
    """Return the text and the file, each only when there is something in it."""
    text = value(_TEXT, "")
    file = value(f"{_FILE}_{session().files_dropped}")
    sources = [pasted(text)] if text.strip() else []
    return [*sources, LeakSource(file.name, file)] if file and file.size else sources


def _widen() -> None:
    recalling = session().open_recall
    if recalling is None:
        return
    with permissions.errors_as_flash():
        wider = recall.widen(
            app_context().unit_of_work, permissions.current_user(), recalling.recall
        )
        session().open_recall = OpenRecall(wider, wide=True)


def _open_confirmation() -> None:
    set_value(_REASON, "")
    recalling = session().open_recall
    if recalling:
        recalling.confirming = True


def _close() -> None:
    recalling = session().open_recall
    if recalling:
        recalling.confirming = False


def _end() -> None:
    """Execute the plans. A second click finds no open confirmation and does nothing."""
    recalling = session().open_recall
    if recalling is None or not recalling.confirming:
        return
    try:
        receipts = recall.end(
            app_context().unit_of_work,
            permissions.current_user(),
            recalling.recall,
            reason=value(_REASON, ""),
        )
    except DeskError as error:
        recalling.error = error
        return
    session().recall_receipts, session().open_recall = receipts, None


def _clear() -> None:
    session().open_recall = None


def _done() -> None:
    session().recall_receipts = ()
