"""The receipt of an operation, shown until the administrator presses `Done`."""

import streamlit as st

from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.states import Action, ExistingTokens
from lib.operations.results import may_download_results, results_download, results_file_name
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message, skipped_users
from lib.ui.components.csv_download import render_csv_button
from lib.ui.components.receipt_box import receipt_box
from lib.ui.tokens.tokens_state import FinishedOperation, tokens_state
from lib.ui.undo import undo_dialog
from lib.wording.formats import clock_time, plain
from lib.wording.labels import KEPT_TOKENS
from lib.wording.sentences import receipt_sentence

_KEY = "tokens"
_FEW = 3
_REDRAW_EVERY = "20s"  # so that the minutes left stay right without a click


def render_receipt() -> None:
    """Draw the message of the last step, and the receipt of the finished operation or undo."""
    message.render_message()
    finished = tokens_state().finished_operation
    if finished:
        _render_operation(finished)
    undo_dialog.render_undo_receipt(permissions.current_user())
    undo_dialog.render_undo_dialog()


def _render_operation(finished: FinishedOperation) -> None:
    receipt = finished.receipt
    with receipt_box(receipt_sentence(receipt), _done, _KEY, badge=_badge(receipt)):
        st.markdown(f":small[{_facts(receipt)}]")
        if receipt.csv_sha256:
            st.code(f"SHA-256 {receipt.csv_sha256}", language=None, wrap_lines=True)
            _download_again(finished)
        else:
            _results_download(receipt)
        _undo_button(receipt)
        if len(receipt.skipped) > _FEW:
            skipped_users.render_skipped_users(receipt.skipped)


def _badge(receipt: Receipt) -> str:
    """Return until when the users show Pending; empty when nobody does."""
    until = {Action.GENERATE: "first use", Action.REQUEST: "accepted"}.get(receipt.action)
    return f"Pending until {until}" if until and receipt.changed else ""


def _facts(receipt: Receipt) -> str:
    rows = (
        f"{counted(receipt.changed, 'row')} in {plain(receipt.csv_name)}, "
        if receipt.csv_name
        else ""
    )
    facts = f"{rows}{clock_time(receipt.confirmed_at)} by {plain(receipt.actor)}."
    if receipt.existing_tokens is ExistingTokens.KEEP:
        facts = f"{facts} {KEPT_TOKENS}"
    if not receipt.skipped:
        return facts
    who = counted(len(receipt.skipped), "user was skipped", "users were skipped")
    if len(receipt.skipped) > _FEW:
        return f"{facts} {who}; they are listed below."
    names = "; ".join(f"{plain(u.name)}, {u.reason.value}" for u in receipt.skipped)
    return f"{facts} {who}: {names}."


@st.fragment(run_every=_REDRAW_EVERY)
def _download_again(finished: FinishedOperation) -> None:
    """Draw `Download again` while the CSV is kept; afterwards a sentence instead."""
    download = finished.download
    seconds = app_context().one_time_secrets.seconds_left(download.key) if download else 0
    with st.container(horizontal=True, vertical_alignment="center"):
        if download is None or not seconds:
            st.caption(
                "The CSV is no longer kept here. If you have lost it, "
                "generate and export these tokens again."
            )
            return
        name = finished.receipt.csv_name
        render_csv_button("Download again", download, name, f"{_KEY}_again")
        minutes = counted(max(1, round(seconds / 60)), "minute")
        st.caption(f"Download again for {minutes}, in this session only.", width="content")


def _results_download(receipt: Receipt) -> None:
    actor = permissions.current_user()
    if not may_download_results(actor, receipt):
        return
    file = results_download(app_context().unit_of_work, actor, receipt, receipt.changed)
    render_csv_button("Download results", file, results_file_name(receipt), f"{_KEY}_results")


def _undo_button(receipt: Receipt) -> None:
    at = (receipt.organization_id, receipt.operation_id)
    state = undo_dialog.undo_state(permissions.current_user(), *at)
    if state:
        undo_dialog.render_undo_button(state, *at, _undone)


def _undone() -> None:
    """Close the receipt of what was undone: its tokens no longer work."""
    _done()
    tokens_state().select(set())


def _done() -> None:
    """Close the receipt and forget the CSV."""
    finished = tokens_state().finished_operation
    if finished and finished.download:
        app_context().one_time_secrets.drop(finished.download.key)
    tokens_state().finished_operation = None
