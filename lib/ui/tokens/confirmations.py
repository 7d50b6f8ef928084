"""The confirmations: one for most actions, two for Generate & Export, three with an approval.

The session knows which one is open, so each run draws its dialog until somebody answers it.
"""

from dataclasses import replace

import streamlit as st

from lib.domain.actions import ACTIONS, action_name
from lib.domain.errors import DatabaseUnavailableError, DeskError
from lib.domain.plan import Plan
from lib.domain.plural import counted
from lib.domain.states import ExistingTokens
from lib.operations.actions import execute, needs_approval, plan_action
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message
from lib.ui.components.dialog import UNCHANGED, Dialog, DialogButton
from lib.ui.components.focus import Target, focus_on, render_focus
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import TOKENS
from lib.ui.session import ApprovedPlan, OpenConfirmation, Step, session, set_value, value
from lib.ui.tokens import action_bar, export_confirmation, plan_view
from lib.ui.tokens.tokens_state import FinishedOperation, tokens_state
from lib.wording.formats import either, one_or_many

_KEY = "confirm"


def open_approved(plan: Plan, reason: str) -> None:
    """Go to the API Tokens page of an approved plan; its last confirmation opens there."""
    target = plan.scope
    session().approved_plan = ApprovedPlan(plan, reason)
    scope.set_scope(target.organization_id, target.service_id)
    links.open_page(TOKENS, scope.query_params(target.organization_id, target.service_id))


def render_confirmation() -> None:
    """Draw the open confirmation of this person and place, if there is one."""
    approved, session().approved_plan = session().approved_plan, None
    if approved:
        session().open_confirmation = OpenConfirmation(
            approved.plan,
            Step.SECOND,
            reason=approved.reason,
            needs_approval=True,
            approved=True,
        )
    confirming = session().open_confirmation
    if confirming and _is_here(confirming.plan) and export_confirmation.finish_if_over(confirming):
        st.rerun()
    dialog.render_dialog(_describe)
    render_focus()


def keep_open(error: DeskError) -> None:
    """Draw the open confirmation on a page that fails, with `error` unless it has its own."""
    confirming = session().open_confirmation
    if confirming and isinstance(error, DatabaseUnavailableError) and _is_here(confirming.plan):
        over = export_confirmation.finish_if_over(confirming)
        if not over and not confirming.download_begun:
            confirming.error = confirming.error or error
        dialog.render_dialog(_describe)


def _is_here(plan: Plan) -> bool:
    """Tell whether the plan is of this person and place.

    A download that has begun stays in the session when the person goes to another page.
    """
    place = session().place
    here = (session().username, place.organization_id, place.service_id)
    return here == (plan.actor, plan.scope.organization_id, plan.scope.service_id)


def _describe() -> Dialog | None:
    confirming = session().open_confirmation
    if confirming is None or not _is_here(confirming.plan):
        return None
    if export_confirmation.finish_if_over(confirming) and not confirming.error:
        return None
    target = confirming.plan.scope
    first = Dialog(
        _KEY,
        _title(confirming),
        plan_view.place_of(target.organization_name, target.organization_id, target.service_name),
        body=lambda: _draw_plan(confirming),
        quiet=DialogButton("Cancel", f"{_KEY}_cancel", _dismiss),
        primary=_first_button(confirming.plan),
        dismiss=_dismiss,
        step=_step_text(confirming),
        error=confirming.error,
        again=_look_again,
    )
    if confirming.step is Step.FIRST or confirming.error:
        return first
    quiet = first.quiet if confirming.approved else DialogButton("Back", f"{_KEY}_back", _back)
    body, primary = export_confirmation.last_step(confirming, _KEY)
    return replace(
        first,
        quiet=quiet,
        body=body,
        primary=primary,
        running=lambda: export_confirmation.running_sentence(confirming),
    )


def _title(confirming: OpenConfirmation) -> str:
    counts = confirming.plan.preview
    if confirming.step is Step.FIRST or confirming.error:
        return action_name(confirming.plan.action, counts.selected)
    if counts.tokens_ending:
        return f"Replace {either(counts.tokens_ending, 'working token|working tokens')}?"
    return f"Generate {counted(counts.changed, 'token')}?"


def _step_text(confirming: OpenConfirmation) -> str:
    """Return which step of how many it is; an approval by somebody else is a step of its own."""
    confirmations = ACTIONS[confirming.plan.action].confirmations
    if confirmations == 1:
        return UNCHANGED
    of = confirmations + confirming.needs_approval
    step = of if confirming.approved else int(confirming.step)
    if step < of:
        return f"Step {step} of {of}. {UNCHANGED}"
    days = app_context().unit_of_work.undo_days
    undo = f" It can be undone for {counted(days, 'day')}." if days else ""
    # True also when the connection is lost after the click.
    return f"Step {step} of {of}. Nothing changes before you press the button.{undo}"


def _first_button(plan: Plan) -> DialogButton:
    entry, users = ACTIONS[plan.action], plan.preview.changed
    if entry.confirmations > 1:
        return DialogButton("Continue", f"{_KEY}_next", _continue)
    deed = one_or_many(users, entry.deed).format(users=f"{users:,}")
    ends = plan.preview.tokens_ending or plan.preview.pending_ending
    return DialogButton(deed, f"{_KEY}_do", _confirm, icon="block" if ends else "")


def _draw_plan(confirming: OpenConfirmation) -> bool:
    plan_view.render_plan(confirming.plan, _choose_existing_tokens)
    dialog.reason_field(action_bar.REASON)
    return bool(confirming.plan.preview.changed)


# The callbacks of the buttons.


def _choose_existing_tokens() -> None:
    """Plan again for the same users: the choice is a part of the plan."""
    confirming, chosen = session().open_confirmation, value(plan_view.EXISTING)
    if confirming is None or confirming.step is not Step.FIRST or chosen not in set(ExistingTokens):
        return
    earlier, unit_of_work = confirming.plan, app_context().unit_of_work
    with message.errors_in(confirming):
        confirming.plan = plan_action(
            unit_of_work,
            permissions.current_user(),
            earlier.action,
            earlier.scope.organization_id,
            earlier.scope.service_id,
            list(earlier.seen),
            ExistingTokens(chosen),
        )
        confirming.needs_approval = needs_approval(unit_of_work, confirming.plan)


def _continue() -> None:
    confirming = session().open_confirmation
    if confirming:
        confirming.step = Step.SECOND
        confirming.reason = value(action_bar.REASON, "")
        focus_on(Target.NUMBER)


def _back() -> None:
    confirming = session().open_confirmation
    if confirming and not confirming.download_begun:
        confirming.step = Step.FIRST
        confirming.download = None  # it holds the earlier reason
        set_value(action_bar.REASON, confirming.reason)


def _confirm() -> None:
    """Execute the plan. A second click finds no open confirmation and does nothing."""
    confirming = session().open_confirmation
    if confirming is None or ACTIONS[confirming.plan.action].confirmations > 1:
        return
    shared, reason = app_context(), value(action_bar.REASON, "")
    with message.errors_in(confirming):
        outcome = execute(
            shared.unit_of_work,
            permissions.current_user(),
            confirming.plan,
            shared.minting,
            reason=reason,
        )
        tokens_state().finish(FinishedOperation(outcome.receipt))
        focus_on(Target.RECEIPT)
        session().open_confirmation = None


def _dismiss() -> None:
    """Close the dialog, nothing done. After the download has begun the dialog stays open."""
    confirming = session().open_confirmation
    if confirming and not confirming.download_begun:
        session().open_confirmation = None
        focus_on(Target.ACTIONS)


def _look_again() -> None:
    """Go back to the step that failed for want of the database; plan anew after another error.

    The plan has its operation's id: if it was executed after all, the next click finds its receipt.
    """
    confirming = session().open_confirmation
    if confirming and isinstance(confirming.error, DatabaseUnavailableError):
        confirming.error = confirming.download = None
    elif confirming:
        plan, target = confirming.plan, confirming.plan.scope
        session().open_confirmation = None
        action_bar.plan(
            plan.action, target.organization_id, target.service_id, plan.existing_tokens
        )
