"""The receipt of an operation, shown until the administrator presses `Done`."""

from collections.abc import Callable

import streamlit as st

from lib.domain.access import Actor
from lib.domain.clock import compact
from lib.domain.csv_writer import csv_bytes
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.roles import Permission
from lib.domain.states import Action
from lib.operations.actions import read_results
from lib.operations.audited_download import audited_download
from lib.ui.app_context import AppContext, app_context
from lib.ui.auth import permissions
from lib.ui.components import skipped_users
from lib.ui.session import FinishedOperation, session
from lib.wording.formats import clock_time, plain
from lib.wording.sentences import receipt_sentence

_FEW = 3
_REDRAW_EVERY = "20s"  # so that the minutes left stay right without a click


def render_receipt() -> None:
    """Draw the messages of the last step, and the receipt of the finished operation."""
    remembered = session()
    if remembered.flash_error:
        st.error(remembered.flash_error, icon=":material/error:")
        remembered.flash_error = ""
    if remembered.flash:
        st.success(remembered.flash, icon=":material/check_circle:")
    if remembered.finished_operation:
        _render_operation(remembered.finished_operation)


def _render_operation(finished: FinishedOperation) -> None:
    receipt = finished.receipt
    with st.container(border=True, gap="xsmall", key="tokens_receipt"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{receipt_sentence(receipt)}**", width="content")
            if receipt.action in {Action.GENERATE, Action.REQUEST} and receipt.changed:
                until = "first use" if receipt.action is Action.GENERATE else "accepted"
                st.badge(f"Pending until {until}", icon=":material/schedule:", color="orange")
            st.space("stretch")
            st.button(
                "Done", type="tertiary", icon=":material/close:", on_click=_done, key="receipt_done"
            )
        st.markdown(f":small[{_facts(receipt)}]")
        if receipt.csv_sha256:
            st.code(f"SHA-256 {receipt.csv_sha256}", language=None, wrap_lines=True)
            _download_again(finished)
        else:
            _results_download(receipt)
        if len(receipt.skipped) > _FEW:
            skipped_users.render_skipped_users(receipt.skipped)


def _facts(receipt: Receipt) -> str:
    rows = (
        f"{counted(receipt.changed, 'row')} in {plain(receipt.csv_name)}, "
        if receipt.csv_name
        else ""
    )
    facts = f"{rows}{clock_time(receipt.confirmed_at)} by {plain(receipt.actor)}."
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
        _download_button(download, "Download again", finished.receipt.csv_name)
        minutes = counted(max(1, round(seconds / 60)), "minute")
        st.caption(f"Download again for {minutes}, in this session only.", width="content")


def _results_download(receipt: Receipt) -> None:
    facts = (receipt.organization_id, receipt.service_id, receipt.action)
    name = f"{'-'.join((*facts, compact(receipt.confirmed_at)))}.csv"
    shared, actor = app_context(), permissions.current_user()
    file = audited_download(
        shared.unit_of_work,
        actor,
        Permission.ACTIVITY,
        name,
        _results_csv(shared, actor, receipt),
        organization_id=receipt.organization_id,
        service_id=receipt.service_id,
        operation_id=receipt.operation_id,
        users=receipt.changed,
    )
    _download_button(file, "Download results", name)


def _download_button(data: Callable[[], bytes], label: str, name: str) -> None:
    st.download_button(
        label,
        data=data,
        file_name=name,
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        key=f"receipt_{label}",
    )


def _results_csv(shared: AppContext, actor: Actor, receipt: Receipt) -> Callable[[], bytes]:
    def make() -> bytes:
        rows = read_results(shared.engine, actor, receipt.organization_id, receipt.operation_id)
        return csv_bytes(("Name", "Username", "Email", "Result"), rows)

    return make


def _done() -> None:
    """Close the receipt and forget the CSV."""
    finished = session().finished_operation
    if finished and finished.download:
        app_context().one_time_secrets.drop(finished.download.key)
    session().finished_operation = None
