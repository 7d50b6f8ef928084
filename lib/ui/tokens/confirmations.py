"""The confirmations: one for most actions, two for Generate & Export.

Which one is open is a fact of the session, so a dialog is drawn on each run until it is answered.
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
from lib.wording.labels import action_name, either, explain, plain, plan_details, plan_sentence

_POLL = "400ms"
_TYPED = "confirm_typed"


def open_approved(plan: Plan, reason: str) -> None:
    """Go to the place of an approved plan, where its last confirmation opens."""
    target = plan.scope
    session().opening = ApprovedPlan(plan, reason)
    scope.set_scope(target.organization_id, target.service_id)
    st.switch_page(
        "api_tokens.py", query_params=scope.query_params(target.organization_id, target.service_id)
    )


def render_confirmation() -> None:
    """Draw the open confirmation, if there is one here."""
    opening, session().opening = session().opening, None
    if opening:
        session().confirming = OpenConfirmation(
            opening.plan, Step.SECOND, reason=opening.reason, approved=True
        )
    confirming = session().confirming
    if confirming is None or not _is_here(confirming.plan):
        return
    if _settled(confirming):
        st.rerun()
    st.dialog(_title(confirming), width="medium", on_dismiss=_dismiss)(_body)(confirming)


def _is_here(plan: Plan) -> bool:
    """Tell whether it is this person's, in this place: a mint outlives leaving the page."""
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


def _body(confirming: OpenConfirmation) -> None:
    target = confirming.plan.scope
    place = (target.organization_name, target.organization_id, target.service_name)
    st.caption(" · ".join(map(plain, place)))
    if confirming.error:
        _failure(confirming.error)
    elif confirming.step is Step.FIRST:
        _first(confirming)
    elif not confirming.approved and needs_approval(app_context().unit_of_work, confirming.plan):
        _ask(confirming)
    else:
        _second(confirming)


def _first(confirming: OpenConfirmation) -> None:
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
        nobody = not plan.preview.changed
        if exports:
            go = st.button(
                "Continue", type="primary", on_click=_continue, disabled=nobody, key="confirm_next"
            )
        else:
            go = st.button(
                "Confirm", type="primary", on_click=_confirm, disabled=nobody, key="confirm_do"
            )
        if go:
            st.rerun()


def _second(confirming: OpenConfirmation) -> None:
    """Ask for a deliberate act; the confirming button is the download itself."""
    counts = confirming.plan.preview
    delivery = _delivery(confirming)
    if counts.tokens_ending:
        st.markdown(
            "The existing tokens of these users **stop working at once**. Whatever still sends an "
            "old token is refused until it has the new one."
        )
    st.markdown(
        f"The CSV is the only place where the {counted(counts.changed, 'new token')} can be read. "
        "Keep it like a password."
    )
    meant = _meant(counts.changed)
    st.caption("Step 2 of 2. Nothing has changed yet.")
    with dialog.dialog_buttons():
        if confirming.approved:
            leave = st.button("Cancel", on_click=_dismiss, key="confirm_cancel")
        else:
            leave = st.button("Back", on_click=_back, key="confirm_back")
        if leave:
            st.rerun()
        st.download_button(
            "Replace tokens and download CSV",
            data=delivery,
            file_name=confirming.plan.csv_name,
            mime="text/csv",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
            disabled=not meant,
            key="confirm_download",
        )
    if meant:
        _wait_for(confirming)


def _ask(confirming: OpenConfirmation) -> None:
    """Four eyes: keep the plan until another API administrator has approved it."""
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
    meant = _meant(changed)
    st.caption("Step 2 of 3. Nothing has changed yet.")
    with dialog.dialog_buttons():
        back = st.button("Back", on_click=_back, key="confirm_back")
        asked = st.button(
            "Ask for approval",
            type="primary",
            on_click=_ask_approval,
            disabled=not meant,
            key="confirm_ask",
        )
        if back or asked:
            st.rerun()


def _meant(users: int) -> bool:
    """Ask for the number of users, and tell whether it was typed."""
    typed = st.text_input(
        f"Type {users} to confirm", key=_TYPED, width=260, live=True, max_chars=12
    )
    return (typed or "").strip().replace(",", "") == str(users)


@st.fragment(run_every=_POLL)
def _wait_for(confirming: OpenConfirmation) -> None:
    """Look for the end of the operation, which runs in a thread that cannot call Streamlit."""
    if _settled(confirming):
        st.rerun()


def _settled(confirming: OpenConfirmation) -> bool:
    """Move on when the delivery is over: to the receipt, or to what went wrong."""
    delivery = confirming.delivery
    if delivery is None or not delivery.over or confirming.error:
        return False
    if delivery.receipt:
        _finish(FinishedOperation(delivery.receipt, delivery))
    else:
        confirming.error = delivery.error
    return True


def _finish(done: FinishedOperation) -> None:
    remembered = session()
    remembered.confirming = None
    remembered.done = done
    remembered.select(set())


def _failure(error: Exception) -> None:
    st.error(explain(error), icon=":material/error:")
    dialog.render_changed_users(error)
    with dialog.dialog_buttons():
        if st.button("Close", on_click=_close, key="confirm_close"):
            st.rerun()
        if st.button("Look again", type="primary", on_click=_look_again, key="confirm_again"):
            st.rerun()


def _delivery(confirming: OpenConfirmation) -> ExportDownload:
    if confirming.delivery is None:
        shared, plan, remembered = app_context(), confirming.plan, session()
        delivery = ExportDownload(
            shared.unit_of_work,
            shared.minting,
            shared.one_time_secrets,
            SecretKey(session_id(), plan.actor, plan.operation_id),
            permissions.current_user(),
            plan,
            # Asked in a thread that cannot call Streamlit, so it holds what it looks at.
            is_open=lambda: remembered.confirming is confirming and confirming.delivery is delivery,
            reason=confirming.reason,
        )
        confirming.delivery = delivery
    return confirming.delivery


def _continue() -> None:
    confirming = session().confirming
    if confirming:
        confirming.step = Step.SECOND
        confirming.reason = value(action_bar.REASON, "")


def _back() -> None:
    confirming = session().confirming
    if confirming and not confirming.minting:
        confirming.step = Step.FIRST
        confirming.delivery = None  # it has the reason of before
        set_value(action_bar.REASON, confirming.reason)


def _confirm() -> None:
    """Carry out the frozen plan; a second click finds nothing open and does nothing."""
    confirming = session().confirming
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
    confirming = session().confirming
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
    session().told = (
        f"Approval asked for {changed}. Another API administrator has an hour to answer it under "
        "Activity; then open it there and download the CSV."
    )


def _dismiss() -> None:
    """Close the dialog with nothing done. Once the mint has begun, its end is awaited instead."""
    confirming = session().confirming
    if confirming and not confirming.minting:
        session().confirming = None


def _close() -> None:
    session().confirming = None


def _look_again() -> None:
    confirming = session().confirming
    if confirming:
        target = confirming.plan.scope
        session().confirming = None
        action_bar.plan(confirming.plan.action, target.organization_id, target.service_id)
