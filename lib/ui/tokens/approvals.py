"""Approvals (four eyes): open requests, the answer of a second API administrator, the download."""

from dataclasses import dataclass

import streamlit as st

from lib.domain.access import Actor
from lib.domain.activity import Progress
from lib.domain.approvals import Approval
from lib.domain.approver import ApproverRole
from lib.domain.errors import ApproverTooNewError
from lib.domain.plan import Plan
from lib.domain.plural import counted
from lib.domain.states import ApprovalState
from lib.operations import activity, approvals
from lib.operations.actions import APPROVAL_LASTS
from lib.operations.activity import OperationView
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.navigation import activity_links
from lib.ui.session import page_state
from lib.ui.tokens import confirmations, plan_view
from lib.wording.activity import PROGRESS, time_of_day
from lib.wording.formats import clock_time, plain
from lib.wording.sentences import explain

_KEY = "answer"
_FEW = 4


@dataclass
class _OpenAnswer:
    """The open confirmation of an answer to a request for approval (four eyes)."""

    approve: bool
    error: Exception | None = None


@dataclass
class _AnswerState:
    """What the page of a request remembers while it is open."""

    opened: _OpenAnswer | None = None


def render_open_approvals(actor: Actor) -> None:
    """Draw one line for each open request that the actor can answer, or that the actor made."""
    answerable, own = activity.open_approvals(app_context().engine, app_context().clock, actor)
    lines = [(asked, Progress.WAITING, _request_sentence(asked)) for asked in answerable]
    lines += [(asked, *_own_request(asked)) for asked in own]
    if not lines:
        return
    with st.container(border=True, gap="xxsmall", key="activity_waiting"):
        for line in lines[:_FEW]:
            _render_line(*line)
        if len(lines) > _FEW:
            st.caption(f"{len(lines) - _FEW:,} more are in the list below.")


def render_approval(actor: Actor, view: OperationView) -> None:
    """Draw a request: its state, its plan, and the buttons that `actor` may use."""
    asked, plan = view.asked, view.plan
    if asked is None:
        return
    if view.progress is not Progress.DONE:
        st.markdown(_state_sentence(actor, view, asked))
    if view.approver and view.progress is not Progress.LAPSED:
        st.markdown(_role_sentence(actor, asked, view.approver))
    if plan is None:
        return
    with st.container(gap="xsmall"):
        plan_view.render_plan(plan)
    if view.progress is Progress.APPROVED:
        _render_download_button(actor, asked, plan)
    elif view.approver and view.approver.old_enough:
        _answer_buttons()
        dialog.render_dialog(lambda: _describe_answer(view, asked, plan))


def _render_line(asked: Approval, progress: Progress, sentence: str) -> None:
    sign = PROGRESS[progress]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(sign.word, icon=sign.icon, color=sign.colour)
        st.markdown(f":small[{sentence}]", width="content")
        link = activity_links.operation_link(asked.organization_id, asked.operation_id)
        activity_links.render_link("Open it", link, "arrow_forward", f"open_{asked.operation_id}")


def _request_sentence(asked: Approval) -> str:
    return (
        f"{plain(asked.requester)} asks for {counted(asked.users, 'new token')} in "
        f"{_place(asked)}, until {time_of_day(_until(asked))}."
    )


def _own_request(asked: Approval) -> tuple[Progress, str]:
    """Return the progress of the actor's own request, and a sentence about it."""
    tokens = f"Your {counted(asked.users, 'new token')} in {_place(asked)}"
    until = time_of_day(_until(asked))
    if asked.state is ApprovalState.WAITING:
        return Progress.WAITING, f"{tokens}: until {until}."
    return Progress.APPROVED, f"{tokens}: download until {until}."


def _place(asked: Approval) -> str:
    return f"{plain(asked.organization_name)} · {plain(asked.service_name)}"


def _until(asked: Approval) -> int:
    return (asked.answered_at or asked.asked_at) + APPROVAL_LASTS


def _state_sentence(actor: Actor, view: OperationView, asked: Approval) -> str:
    """Return one sentence: the state of the request, and what comes next."""
    answered_by, requester = plain(asked.answered_by or ""), plain(asked.requester)
    mine = asked.requester == actor.username
    until = time_of_day(_until(asked))
    if view.progress is Progress.WAITING:
        if mine:
            return f"Waiting for another API administrator until {until}."
        return f"{requester} asks for a second API administrator's approval, until {until}."
    if view.progress is Progress.APPROVED:
        who = "you have" if mine else f"{requester} has"
        return f"Approved by {answered_by}; {who} until {until} to download the CSV."
    if view.progress is Progress.REJECTED:
        return f"Rejected by {answered_by}; nothing was changed."
    if asked.answered_by:
        return (
            f"Approved by {answered_by}, and not downloaded within the hour: nothing was changed."
        )
    return "Nobody answered within the hour: nothing was changed."


def _role_sentence(actor: Actor, asked: Approval, role: ApproverRole) -> str:
    """Return who granted the approver's role, when, and whether the role may answer the request."""
    answered_by = asked.answered_by or actor.username
    whose = "Your role" if answered_by == actor.username else f"The role of {plain(answered_by)}"
    by = f"by {plain(role.granted_by)}" if role.granted_by else "by whoever runs Token Desk"
    sentence = f"{whose} was granted {by} on {clock_time(role.granted_at)}."
    return sentence if role.old_enough else f"{sentence} {explain(ApproverTooNewError())}"


def _render_download_button(actor: Actor, asked: Approval, plan: Plan) -> None:
    if asked.requester != actor.username:
        return
    if st.button(
        "Go on to the download",
        type="primary",
        icon=":material/download:",
        key="operation_go_on",
    ):
        confirmations.open_approved(plan, asked.reason)


def _answer_buttons() -> None:
    with st.container(horizontal=True):
        st.button(
            "Approve",
            type="primary",
            icon=":material/check:",
            on_click=_open_answer,
            args=(True,),
            key="operation_approve",
        )
        st.button(
            "Reject",
            icon=":material/block:",
            on_click=_open_answer,
            args=(False,),
            key="operation_reject",
        )


def _describe_answer(view: OperationView, asked: Approval, plan: Plan) -> Dialog | None:
    """Return the confirmation of an answer while it is open."""
    opened = page_state(_AnswerState).opened
    if opened is None:
        return None
    word = "Approve" if opened.approve else "Reject"
    requester = plain(asked.requester)
    return Dialog(
        _KEY,
        f"{word} {counted(asked.users, 'new token')}?",
        plan_view.place_of(asked.organization_name, asked.organization_id, asked.service_name),
        body=lambda: _draw_answer(opened, requester, plan),
        quiet=DialogButton("Cancel", f"{_KEY}_cancel", _dismiss),
        primary=DialogButton(word, f"{_KEY}_do", lambda: _answer(view, requester)),
        dismiss=_dismiss,
        error=opened.error,
    )


def _draw_answer(opened: _OpenAnswer, requester: str, plan: Plan) -> bool:
    if opened.approve:
        st.markdown(
            f"{requester} may then generate and download these tokens within one hour: only this "
            "plan, and only once."
        )
        plan_view.render_summary(plan)
    else:
        st.markdown(f"{requester} must choose Generate & Export again, and ask for approval again.")
    return True


def _open_answer(approve: bool) -> None:  # noqa: FBT001 - a callback's argument
    page_state(_AnswerState).opened = _OpenAnswer(approve)


def _answer(view: OperationView, requester: str) -> None:
    """Record the answer. A second click finds no open confirmation and does nothing."""
    opened = page_state(_AnswerState).opened
    if opened is None:
        return
    with message.errors_in(opened):
        approvals.answer(
            app_context().unit_of_work,
            permissions.current_user(),
            view.organization_id,
            view.operation_id,
            approve=opened.approve,
        )
        _dismiss()
        message.say(
            f"Approved. {requester} finds it under Activity and has an hour to download the CSV."
            if opened.approve
            else f"Rejected. {requester} sees that under Activity."
        )


def _dismiss() -> None:
    page_state(_AnswerState).opened = None
