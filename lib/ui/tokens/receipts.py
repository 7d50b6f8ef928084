"""The receipt of an operation, shown until the administrator presses `Done`.

The receipt of an export comes back after a reload: while its CSV is kept, or if it was not sent.
"""

import streamlit as st

from lib.domain.access import Actor
from lib.domain.clock import MINUTE
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.states import Action, Delivery, ExistingTokens
from lib.operations.kept_exports import KeptExport, find_export
from lib.operations.results import may_download_results, results_download, results_file_name
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message, skipped_users
from lib.ui.components.csv_download import render_csv_button
from lib.ui.components.receipt_box import receipt_box
from lib.ui.session import session
from lib.ui.tokens.tokens_state import FinishedOperation, tokens_state
from lib.ui.undo import undo_dialog
from lib.wording.activity import DELIVERY
from lib.wording.formats import clock_time, plain
from lib.wording.labels import KEPT_TOKENS
from lib.wording.sentences import receipt_sentence

_KEY = "tokens"
_FEW = 3
_REDRAW_EVERY = "20s"  # so that the minutes left stay right without a click
_POLL = "1s"  # while a new CSV is on its way


def render_receipt(actor: Actor) -> None:
    """Draw the message of the last step, and the receipt of the finished operation or undo."""
    message.render_message()
    state = tokens_state()
    if state.finished_operation is None:
        state.finished_operation = _found_export(actor)
    if state.finished_operation:
        _render_operation(state.finished_operation)
    elif _runs_elsewhere(actor):
        _render_running(actor)
    undo_dialog.render_undo_receipt(actor)
    undo_dialog.render_undo_dialog()


def _found_export(actor: Actor) -> FinishedOperation | None:
    """Return the export of this place that a reload or another page took from the screen."""
    shared, remembered = app_context(), session()
    found = find_export(
        shared.unit_of_work,
        shared.one_time_secrets,
        remembered.holder,
        actor,
        remembered.place.organization_id,
        remembered.place.service_id,
        remembered.closed_exports,
    )
    return FinishedOperation(found.receipt, found) if found else None


def _runs_elsewhere(actor: Actor) -> bool:
    """Tell whether an export of `actor` runs whose page was reloaded or closed."""
    waiting = session().open_confirmation
    here = waiting is not None and waiting.download_begun
    return not here and app_context().one_time_secrets.is_making(actor.username)


@st.fragment(run_every=_POLL)
def _render_running(actor: Actor) -> None:
    if not _runs_elsewhere(actor):
        st.rerun()
    st.info(
        "An export that you confirmed is still running. Its receipt will be on the API tokens "
        "page of its organization and service.",
        icon=":material/hourglass_top:",
    )


def _render_operation(finished: FinishedOperation) -> None:
    receipt = finished.receipt
    with receipt_box(receipt_sentence(receipt), _done, _KEY, badge=_badge(receipt)):
        st.markdown(f":small[{_facts(receipt)}]")
        if receipt.csv_sha256:
            st.code(f"SHA-256 {receipt.csv_sha256}", language=None, wrap_lines=True)
            if finished.export:
                _render_delivery(finished.export)
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


def _render_delivery(export: KeptExport) -> None:
    """Draw what the server saw of the CSV, and `Download again` while it is kept."""
    delivery, every = export.receipt.delivery, _redraw_every(export)

    def draw() -> None:
        if (export.receipt.delivery, _redraw_every(export)) != (delivery, every):
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            sign = DELIVERY.get(delivery)
            if sign:
                st.badge(sign.word, icon=sign.icon, color=sign.colour)
            _download_again(export)

    st.fragment(draw, run_every=every)()


def _redraw_every(export: KeptExport) -> str:
    """Return how often the state of the CSV is looked at: often in the minute after the click."""
    age = app_context().clock() - export.receipt.confirmed_at
    is_new = export.receipt.delivery is Delivery.NOT_SENT and age < MINUTE
    return _POLL if is_new else _REDRAW_EVERY


def _download_again(export: KeptExport) -> None:
    """Draw `Download again` while the CSV is kept; afterwards a sentence instead."""
    if not export.seconds_left:
        st.caption(_lost_text(export.receipt.delivery))
        return
    render_csv_button("Download again", export, export.receipt.csv_name, f"{_KEY}_again")
    minutes = counted(max(1, round(export.seconds_left / 60)), "minute")
    st.caption(f"Download again for {minutes}.", width="content")


def _lost_text(delivery: Delivery) -> str:
    """Return what can be done when the CSV is no longer kept."""
    gone = "The CSV is no longer kept here."
    if delivery is Delivery.NOT_SENT:
        gone = "The CSV was not sent, and it is no longer kept."
    if app_context().unit_of_work.undo_days:
        return (
            f"{gone} If you do not have it, undo the operation, which gives these users their "
            "earlier tokens back; or generate and export these tokens again."
        )
    return f"{gone} If you do not have it, generate and export these tokens again."


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
    if finished and finished.export:
        app_context().one_time_secrets.drop(finished.export.key)
        session().closed_exports.add(finished.receipt.operation_id)
    tokens_state().finished_operation = None
