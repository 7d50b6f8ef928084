"""The Recall page: a text with leaked tokens goes in, and what they are comes out.

The text is forgotten as soon as it was looked through; the page goes on with ids.
"""

from collections import Counter

import pandas as pd
import streamlit as st

from lib.domain.errors import DeskError
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.states import TokenState
from lib.domain.token_format import text_of
from lib.domain.tokens import LeakedToken
from lib.operations import recall
from lib.operations.recall import Recall
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog
from lib.ui.components.table_size import table_height
from lib.ui.navigation import activity_links
from lib.ui.session import OpenRecall, session, set_value, value
from lib.wording.formats import either, plain
from lib.wording.sentences import explain, receipt_sentence

_TEXT, _REASON, _FILE = "recall_text", "recall_reason", "recall_file"
_LONGEST = 5_000_000  # characters: a CSV of 20,000 tokens
_NOTHING = "Nothing was looked through. Paste a text, or choose a file of up to 5 MB."
_ROWS_IN_SIGHT = 9
_WIDTH = 785
_LIVE = {TokenState.ACCEPTED: "✓", TokenState.PENDING: "Pending"}


def recall_input() -> None:
    """Draw where leaked tokens are pasted or dropped."""
    remembered = session()
    if remembered.notice:
        st.error(remembered.notice, icon=":material/error:", width=_WIDTH)
        remembered.notice = ""
    if remembered.recalling:
        return
    st.caption(
        "Tokens were found where they should not be: in a chat, a repository, a mail. Paste what "
        "was found, or drop the whole file, of any kind; it is looked through and forgotten."
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
    """Return what was found in the last text, until it is put away."""
    recalling = session().recalling
    return recalling.recall if recalling else None


def render_found_tokens(recalled: Recall) -> None:
    """Draw whose the tokens are, and what can be done."""
    st.markdown(_sentence(recalled))
    if recalled.leaked:
        _table(recalled.leaked)
        _operations(recalled)
    with st.container(horizontal=True, vertical_alignment="center", key="recall_bar"):
        st.button("Another text", on_click=_clear, key="recall_away")
        if recalled.operations and not _is_wide():
            st.button(
                "Add all that these operations made",
                on_click=_widen,
                key="recall_widen",
                help="Who leaked one line of a CSV may have leaked the others too.",
            )
        st.space("stretch")
        if recalled.plans:
            st.button(
                f"End {counted(recalled.ending, 'token')} …",
                type="primary",
                on_click=_open,
                key="recall_end",
            )


def confirm() -> None:
    """Draw the confirmation while it is open."""
    recalling = session().recalling
    if recalling and recalling.confirming:
        title = f"End {counted(recalling.recall.ending, 'token')}?"
        st.dialog(title, width="medium", on_dismiss=_close)(_confirm)(recalling)


def render_recall_receipt() -> None:
    """Draw what the last recall did, until it is put away."""
    receipts = session().recalled
    if not receipts:
        return
    ended = sum(receipt.changed for receipt in receipts)
    dialog.render_batch_receipt(receipts, f"{counted(ended, 'token')} ended", _way, _done, "recall")


def _way(_number: int, receipt: Receipt) -> None:
    """Draw the way to one operation of the recall."""
    place = f"{plain(receipt.organization_id)} · {plain(receipt.service_id)}"
    st.page_link(
        "activity.py",
        label=f":blue[{receipt_sentence(receipt)}] {place}",
        icon=":material/link:",
        query_params=activity_links.operation_link(receipt.organization_id, receipt.operation_id),
    )


def _sentence(recalled: Recall) -> str:
    total = len(recalled.leaked)
    live = recalled.ending
    unknown = either(
        recalled.unknown,
        "more looks like a token of ours and is none that you look after"
        "|more look like tokens of ours and are none that you look after",
    )
    if not total:
        return f"**No token of ours.** {unknown}." if recalled.unknown else "**No token of ours.**"
    works = f"{live:,} of them {'works' if live == 1 else 'work'}"
    tail = f" {unknown}." if recalled.unknown else ""
    return f"**{counted(total, 'token')} found**, {works}.{tail}"


def _table(leaked: tuple[LeakedToken, ...]) -> None:
    frame = pd.DataFrame(
        [
            (
                token.name,
                token.username,
                f"{token.organization_name} · {token.organization_id}",
                token.service_name,
                f"{token.hint}…",
                _LIVE.get(token.state, token.state.value.capitalize()),
            )
            for token in leaked
        ],
        columns=["Name", "Username", "Organization", "Service", "Token", "State"],
    )
    st.dataframe(
        frame,
        hide_index=True,
        row_height=34,
        height=table_height(len(frame), _ROWS_IN_SIGHT),
        alt="Whose the found tokens are",
    )


def _operations(recalled: Recall) -> None:
    """Link to the operations that made them."""
    made = Counter(
        (token.organization_id, token.operation_id)
        for token in recalled.leaked
        if token.operation_id
    )
    for (organization_id, operation_id), tokens in sorted(made.items()):
        st.page_link(
            "activity.py",
            label=f":blue[The export of {plain(organization_id)}] that made "
            f"{counted(tokens, 'token')} of these",
            icon=":material/history:",
            query_params=activity_links.operation_link(organization_id, operation_id),
        )


def _confirm(recalling: OpenRecall) -> None:
    recalled = recalling.recall
    if recalling.error:
        st.error(explain(recalling.error), icon=":material/error:")
        dialog.render_changed_users(recalling.error)
        if st.button("Close", on_click=_clear, key="recall_close"):
            st.rerun()
        return
    places = {(plan.scope.organization_id, plan.scope.service_id) for plan in recalled.plans}
    scattered = f" in {len(places):,} organizations and services" if len(places) > 1 else ""
    st.markdown(
        f"**{counted(recalled.ending, 'token')}**{scattered}: each **stops working at once**. "
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
    recalling = session().recalling
    return bool(recalling and recalling.wide)


def _look_up() -> None:
    """Look through what was pasted or dropped; both are forgotten, whatever comes of it."""
    file = value(f"{_FILE}_{session().files_dropped}")
    text = f"{value(_TEXT, '')}\n{text_of(file.getvalue()) if file else ''}"
    set_value(_TEXT, "")
    session().files_dropped += 1
    session().recalled = ()
    if not text.strip():
        session().notice = _NOTHING
        return
    with permissions.errors_as_flash():
        found_now = recall.look_up(
            app_context().unit_of_work, permissions.current_user(), text, app_context().minting
        )
        session().recalling = OpenRecall(found_now)


def _widen() -> None:
    recalling = session().recalling
    if recalling is None:
        return
    with permissions.errors_as_flash():
        wider = recall.widen(
            app_context().unit_of_work, permissions.current_user(), recalling.recall
        )
        session().recalling = OpenRecall(wider, wide=True)


def _open() -> None:
    set_value(_REASON, "")
    recalling = session().recalling
    if recalling:
        recalling.confirming = True


def _close() -> None:
    recalling = session().recalling
    if recalling:
        recalling.confirming = False


def _end() -> None:
    """Carry out the frozen plans; a second click finds nothing open and does nothing."""
    recalling = session().recalling
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
    session().recalled, session().recalling = receipts, None


def _clear() -> None:
    session().recalling = None


def _done() -> None:
    session().recalled = ()
