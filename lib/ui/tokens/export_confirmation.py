"""The last confirmation of Generate & Export: a number to type, then the download or a request.

The download button is what confirms. Its work is done in another thread, so the dialog polls for
the result.
"""

from collections.abc import Callable

import streamlit as st

from lib.domain.plural import counted
from lib.operations import approvals
from lib.operations.minting_download import MintingDownload
from lib.operations.secret_retention import SecretKey
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message
from lib.ui.components.consequence import render_consequence
from lib.ui.components.dialog import DialogButton
from lib.ui.components.focus import Target, focus_on
from lib.ui.session import OpenConfirmation, Step, session
from lib.ui.tokens.tokens_state import FinishedOperation, tokens_state
from lib.wording.formats import either
from lib.wording.labels import KEPT_TOKENS, PENDING_ENDS

_TYPED = "confirm_typed"


def last_step(confirming: OpenConfirmation, key: str) -> tuple[Callable[[], bool], DialogButton]:
    """Return the body and the primary button of the last step that this person can do now.

    `key` begins the key of the button.
    """
    if confirming.needs_approval and not confirming.approved:
        button = DialogButton("Ask for approval", f"{key}_ask", _ask_approval)
        return lambda: _draw_request(confirming), button
    replaces = confirming.plan.preview.tokens_ending
    button = DialogButton(
        "Replace tokens and download CSV" if replaces else "Generate and download CSV",
        f"{key}_download",
        icon="download",
        file=_download_of(confirming),
        file_name=confirming.plan.csv_name,
    )
    return lambda: _draw_download(confirming), button


def finish_if_over(confirming: OpenConfirmation) -> bool:
    """When the download is over, set its receipt or its error; tell whether that happened."""
    download = confirming.download
    if download is None or not download.over or confirming.error:
        return False
    if download.export:
        tokens_state().finish(FinishedOperation(download.export.receipt, download.export))
        focus_on(Target.RECEIPT)
        session().open_confirmation = None
    else:
        confirming.error = download.error
    return True


def _draw_download(confirming: OpenConfirmation) -> bool:
    counts = confirming.plan.preview
    render_consequence(counts.tokens_ending, counts.pending_ending)
    if counts.tokens_ending:
        st.markdown(
            "The existing tokens of these users **stop working at once**. Whatever still sends an "
            "old token is refused until it has the new one."
        )
    if counts.second_tokens:
        st.markdown(KEPT_TOKENS)
    if counts.pending_ending:
        st.markdown(f"{either(counts.pending_ending, PENDING_ENDS)}.")
    st.markdown(
        f"The CSV is the only place where the {counted(counts.changed, 'new token')} can be read. "
        "Keep it like a password."
    )
    return _number_typed(counts.changed)


def _draw_request(confirming: OpenConfirmation) -> bool:
    """Draw the step that asks another API administrator to approve the plan (four eyes)."""
    changed = confirming.plan.preview.changed
    alone = app_context().unit_of_work.four_eyes
    st.markdown(
        f"**{counted(changed, 'new token')} need a second API administrator**: one alone may "
        f"generate for {counted(alone, 'user')} within an hour, in all organizations together."
    )
    st.markdown(
        "Another API administrator finds the request under **Activity** and has an hour to approve "
        "it. Then you open it there and download the CSV; until then nothing changes."
    )
    return _number_typed(changed)


def _number_typed(users: int) -> bool:
    """Draw the field for the number of users; tell whether the right number was typed."""
    typed = st.text_input(f"Type {users:,} to confirm", key=_TYPED, width=260, live=True)
    number = (typed or "").strip()
    if number in {str(users), f"{users:,}"}:
        return True
    if number:
        st.markdown(f":small[That is not {users:,}.]")
    return False


def running_sentence(confirming: OpenConfirmation) -> str:
    """Return what is being done since the download was clicked; empty before."""
    if not confirming.download_begun:
        return ""
    return f"Making {counted(confirming.plan.preview.changed, 'token')} …"


def _download_of(confirming: OpenConfirmation) -> MintingDownload:
    if confirming.download is None:
        shared, plan, remembered = app_context(), confirming.plan, session()
        download = MintingDownload(
            shared.unit_of_work,
            shared.minting,
            shared.one_time_secrets,
            SecretKey(remembered.holder, plan.actor, plan.operation_id),
            permissions.current_user(),
            plan,
            # Another thread calls this, and `session()` does not work there.
            is_open=lambda: (
                remembered.open_confirmation is confirming and confirming.download is download
            ),
            reason=confirming.reason,
        )
        confirming.download = download
    return confirming.download


def _ask_approval() -> None:
    confirming = session().open_confirmation
    if confirming is None or confirming.step is not Step.SECOND:
        return
    with message.errors_in(confirming):
        approvals.request(
            app_context().unit_of_work,
            permissions.current_user(),
            confirming.plan,
            reason=confirming.reason,
        )
        session().open_confirmation = None
        tokens_state().select(set())
        message.say(
            f"Approval asked for {counted(confirming.plan.preview.changed, 'token')}. Another API "
            "administrator has an hour to answer it under Activity; then open it there and "
            "download the CSV."
        )
