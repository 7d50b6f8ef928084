"""The confirmations: one for most actions, two for Generate & Export.

The session knows which one is open, so each run draws its dialog until somebody answers it.
"""

import streamlit as st

from lib.domain.errors import DeskError
from lib.domain.plan import Plan
from lib.domain.plural import counted
from lib.domain.states import Action
from lib.operations import approvals
from lib.operations.actions import execute, needs_approval
from lib.operations.export_download import ExportDownload
from lib.operations.one_time_secrets import SecretKey
from lib.streamlit_internals.runtime import session_id
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, skipped_users
from lib.ui.navigation import scope
from lib.ui.session import (
    ApprovedPlan,
    FinishedOperation,
    OpenConfirmation,
    Step,
    session,
    set_value,
    value,
)
from lib.ui.tokens import action_bar
from lib.wording.formats import either, plain
from lib.wording.labels import action_name
from lib.wording.sentences import explain, plan_details, plan_sentence

_POLL = "400ms"
_TYPED = "confirm_typed"


def open_approved(plan: Plan, reason: str) -> None:
    """Go to the API Tokens page of an approved plan; its last confirmation opens there."""
    target = plan.scope
    session().approved_plan = ApprovedPlan(plan, reason)
    scope.set_scope(target.organization_id, target.service_id)
    st.switch_page(
        "api_tokens.py", query_params=scope.query_params(target.organization_id, target.service_id)
    )


def render_confirmation() -> None:
    """Draw the open confirmation of this person and place, if there is one."""
    approved, session().approved_plan = session().approved_plan, None
    if approved:
        session().open_confirmation = OpenConfirmation(
            approved.plan, Step.SECOND, reason=approved.reason, approved=True
        )
    confirming = session().open_confirmation
    if confirming is None or not _is_here(confirming.plan):
        return
    if _finish_if_over(confirming):
        st.rerun()
    st.dialog(_title(confirming), width="medium", on_dismiss=_dismiss)(_dialog_body)(confirming)


def _is_here(plan: Plan) -> bool:
    """Tell whether the plan is of this person and place.

    A download that has begun stays in the session when the person goes to another page.
    """
    place = session().place
    here = (session().username, place.organization_id, place.service_id)
    return here == (plan.actor, plan.scope.organization_id, plan.scope.service_id)


def _title(confirming: OpenConfirmation) -> str:
    counts = confirming.plan.preview
    if confirming.step is Step.FIRST or confirming.error:
        return action_name(confirming.plan.action, counts.selected)
    if counts.tokens_ending:
        return f"Replace {either(counts.tokens_ending, 'working token|working tokens')}?"
    return f"Generate {counted(counts.changed, 'token')}?"


def _dialog_body(confirming: OpenConfirmation) -> None:
    target = confirming.plan.scope
    place = (target.organization_name, target.organization_id, target.service_name)
    st.caption(" · ".join(map(plain, place)))
    with permissions.errors_shown():  # a dialog also runs by itself, without the frame
        _render_step(confirming)


def _render_step(confirming: OpenConfirmation) -> None:
    if confirming.error:
        _render_error(confirming.error)
    elif confirming.step is Step.FIRST:
        _first_step(confirming)
    elif not confirming.approved and needs_approval(app_context().unit_of_work, confirming.plan):
        _approval_step(confirming)
    else:
        _second_step(confirming)


def _first_step(confirming: OpenConfirmation) -> None:
    plan = confirming.plan
    st.markdown(f"**{plan_sentence(plan)}**")
    details = plan_details(plan)
    if details:
        st.markdown("\n".join(f"- {detail}" for detail in details))
    if plan.preview.skipped:
        st.markdown("**Skipped**")
        skipped_users.render_skipped_users(plan.preview.skipped)
    dialog.reason_field(action_bar.REASON)
    exports = plan.action is Action.GENERATE
    st.caption(f"{'Step 1 of 2. ' if exports else ''}Nothing has changed yet.")
    with dialog.dialog_buttons():
        if st.button("Cancel", on_click=_dismiss, key="confirm_cancel"):
            st.rerun()
        nothing_to_do = not plan.preview.changed
        if exports:
            go = st.button(
                "Continue",
                type="primary",
                on_click=_continue,
                disabled=nothing_to_do,
                key="confirm_next",
            )
        else:
            go = st.button(
                "Confirm",
                type="primary",
                on_click=_confirm,
                disabled=nothing_to_do,
                key="confirm_do",
            )
        if go:
            st.rerun()


def _second_step(confirming: OpenConfirmation) -> None:
    """Draw the last confirmation: a number to type, and the download button that confirms."""
    counts = confirming.plan.preview
    download = _download_of(confirming)
    if counts.tokens_ending:
        st.markdown(
            "The existing tokens of these users **stop working at once**. Whatever still sends an "
            "old token is refused until it has the new one."
        )
    st.markdown(
        f"The CSV is the only place where the {counted(counts.changed, 'new token')} can be read. "
        "Keep it like a password."
    )
    is_confirmed = _number_typed(counts.changed)
    st.caption("Step 2 of 2. Nothing has changed yet.")
    with dialog.dialog_buttons():
        if confirming.approved:
            closed = st.button("Cancel", on_click=_dismiss, key="confirm_cancel")
        else:
            closed = st.button("Back", on_click=_back, key="confirm_back")
        if closed:
            st.rerun()
        st.download_button(
            "Replace tokens and download CSV",
            data=download,
            file_name=confirming.plan.csv_name,
            mime="text/csv",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
            disabled=not is_confirmed,
            key="confirm_download",
        )
    if is_confirmed:
        _wait_for(confirming)


def _approval_step(confirming: OpenConfirmation) -> None:
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
    is_confirmed = _number_typed(changed)
    st.caption("Step 2 of 3. Nothing has changed yet.")
    with dialog.dialog_buttons():
        back = st.button("Back", on_click=_back, key="confirm_back")
        asked = st.button(
            "Ask for approval",
            type="primary",
            on_click=_ask_approval,
            disabled=not is_confirmed,
            key="confirm_ask",
        )
        if back or asked:
            st.rerun()


def _number_typed(users: int) -> bool:
    """Draw the field for the number of users; tell whether the right number was typed."""
    typed = st.text_input(
        f"Type {users} to confirm", key=_TYPED, width=260, live=True, max_chars=12
    )
    return (typed or "").strip().replace(",", "") == str(users)


@st.fragment(run_every=_POLL)
def _wait_for(confirming: OpenConfirmation) -> None:
    """Poll for the result of the download: its thread cannot call Streamlit."""
    if _finish_if_over(confirming):
        st.rerun()


def _finish_if_over(confirming: OpenConfirmation) -> bool:
    """When the download is over, set its receipt or its error; tell whether that happened."""
    download = confirming.download
    if download is None or not download.over or confirming.error:
        return False
    if download.receipt:
        _finish(FinishedOperation(download.receipt, download))
    else:
        confirming.error = download.error
    return True


def _finish(finished: FinishedOperation) -> None:
    remembered = session()
    remembered.open_confirmation = None
    remembered.finished_operation = finished
    remembered.select(set())


def _render_error(error: Exception) -> None:
    st.error(explain(error), icon=":material/error:")
    dialog.render_changed_users(error)
    with dialog.dialog_buttons():
        if st.button("Close", on_click=_close, key="confirm_close"):
            st.rerun()
        if st.button("Look again", type="primary", on_click=_look_again, key="confirm_again"):
            st.rerun()


def _download_of(confirming: OpenConfirmation) -> ExportDownload:
    if confirming.download is None:
        shared, plan, remembered = app_context(), confirming.plan, session()
        download = ExportDownload(
            shared.unit_of_work,
            shared.minting,
            shared.one_time_secrets,
            SecretKey(session_id(), plan.actor, plan.operation_id),
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


def _continue() -> None:
    confirming = session().open_confirmation
    if confirming:
        confirming.step = Step.SECOND
        confirming.reason = value(action_bar.REASON, "")


def _back() -> None:
    confirming = session().open_confirmation
    if confirming and not confirming.download_begun:
        confirming.step = Step.FIRST
        confirming.download = None  # it holds the earlier reason
        set_value(action_bar.REASON, confirming.reason)


def _confirm() -> None:
    """Execute the plan. A second click finds no open confirmation and does nothing."""
    confirming = session().open_confirmation
    if confirming is None or confirming.plan.action is Action.GENERATE:
        return
    shared, reason = app_context(), value(action_bar.REASON, "")
    try:
        outcome = execute(
            shared.unit_of_work,
            permissions.current_user(),
            confirming.plan,
            shared.minting,
            reason=reason,
        )
    except DeskError as error:
        confirming.error = error
        return
    _finish(FinishedOperation(outcome.receipt))


def _ask_approval() -> None:
    confirming = session().open_confirmation
    if confirming is None or confirming.step is not Step.SECOND:
        return
    try:
        approvals.request(
            app_context().unit_of_work,
            permissions.current_user(),
            confirming.plan,
            reason=confirming.reason,
        )
    except DeskError as error:
        confirming.error = error
        return
    changed = counted(confirming.plan.preview.changed, "token")
    _close()
    session().select(set())
    session().flash = (
        f"Approval asked for {changed}. Another API administrator has an hour to answer it under "
        "Activity; then open it there and download the CSV."
    )


def _dismiss() -> None:
    """Close the dialog, nothing done. After the download has begun the dialog stays open."""
    confirming = session().open_confirmation
    if confirming and not confirming.download_begun:
        session().open_confirmation = None


def _close() -> None:
    session().open_confirmation = None


def _look_again() -> None:
    confirming = session().open_confirmation
    if confirming:
        target = confirming.plan.scope
        session().open_confirmation = None
        action_bar.plan(confirming.plan.action, target.organization_id, target.service_id)
