"""Four eyes: a second API administrator approves a large Generate & Export.

The requester keeps the plan as a request. Another administrator answers within an hour. The
requester then has an hour to execute exactly the approved plan (lib.operations.actions).
"""

from sqlalchemy import Connection

from lib.domain.access import Actor
from lib.domain.approvals import Approval
from lib.domain.approver import MIN_AGE_FROM_REQUESTER_SIDE, ApproverRole, approver_role
from lib.domain.audit import Event, EventAction, clean_reason
from lib.domain.clock import Moment
from lib.domain.errors import (
    ApprovalAnsweredError,
    ApprovalExpiredError,
    ApproverTooNewError,
    NotAllowedError,
    SelfApprovalError,
)
from lib.domain.plan import Plan
from lib.domain.roles import PERMISSIONS, Permission
from lib.domain.states import ApprovalState
from lib.operations.access import require
from lib.operations.actions import APPROVAL_LASTS, check_plan, event_of
from lib.operations.unit_of_work import UnitOfWork
from lib.store import approval_queries, grant_queries


def request(unit_of_work: UnitOfWork, actor: Actor, plan: Plan, *, reason: str = "") -> None:
    """Keep `plan` as a request for approval. A second call with the same plan changes nothing.

    Raises NotAllowedError, also when `actor` did not make the plan, and PlanOutdatedError when the
    selected users are no longer as the plan saw them.
    """
    event = event_of(plan, actor, reason)._replace(action=EventAction.ASK_APPROVAL)
    with unit_of_work.transaction(event) as connection:
        organization_id, now = plan.scope.organization_id, unit_of_work.clock()
        require(connection, actor.username, Permission.GENERATE, organization_id)
        if actor.username != plan.actor:
            raise NotAllowedError(actor.username, Permission.GENERATE)
        if approval_queries.find(connection, organization_id, plan.operation_id):
            return
        check_plan(connection, now, plan)
        approval_queries.add(connection, plan, now, clean_reason(reason))
        unit_of_work.record(connection, event)


def answer(
    unit_of_work: UnitOfWork,
    actor: Actor,
    organization_id: str,
    operation_id: str,
    *,
    approve: bool,
) -> None:
    """Approve or reject the request of another administrator.

    Raises:
    - NotAllowedError; SelfApprovalError when the actor made the request;
    - ApproverTooNewError when the actor's role is too new (lib.domain.approver);
    - ApprovalAnsweredError when no such request is waiting;
    - ApprovalExpiredError after an hour;
    - PlanOutdatedError when the selected users are no longer as the plan saw them.
    """
    action = EventAction.APPROVE if approve else EventAction.REJECT
    event = Event(action, actor.username, actor.address, organization_id, operation_id=operation_id)
    with unit_of_work.transaction(event) as connection:
        require(connection, actor.username, Permission.APPROVE, organization_id)
        now = unit_of_work.clock()
        asked, role = _lock_waiting(connection, now, actor, organization_id, operation_id)
        if approve:
            check_plan(
                connection, now, approval_queries.plan_of(connection, organization_id, operation_id)
            )
        state = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
        approval_queries.answer(
            connection, organization_id, operation_id, state, actor.username, now, role
        )
        unit_of_work.record(
            connection,
            event._replace(
                service_id=asked.service_id,
                subject=asked.requester,
                users=asked.users,
                users_digest=asked.plan_digest,
            ),
        )


def has_lapsed(asked: Approval, now: Moment) -> bool:
    """Tell whether the hour for the answer, or the hour for the download, is over at `now`."""
    return now - (asked.answered_at or asked.asked_at) > APPROVAL_LASTS


def role_for(connection: Connection, username: str, asked: Approval) -> ApproverRole | None:
    """Return the role by which `username` approves; None without one.

    `counts` of the role tells whether it is old enough for this request.
    """
    approvers = [role for role, may in PERMISSIONS.items() if Permission.APPROVE in may]
    granted = grant_queries.granted_there(connection, username, approvers, asked.organization_id)
    requester_side = grant_queries.given_roles_by(
        connection, asked.requester, asked.asked_at - MIN_AGE_FROM_REQUESTER_SIDE, asked.asked_at
    )
    return approver_role(granted, asked.asked_at, requester_side)


def _lock_waiting(
    connection: Connection, now: Moment, actor: Actor, organization_id: str, operation_id: str
) -> tuple[Approval, ApproverRole]:
    """Return the waiting request, locked, and the actor's role for the answer."""
    asked = approval_queries.find(connection, organization_id, operation_id, lock=True)
    if asked is None or asked.state is not ApprovalState.WAITING:
        raise ApprovalAnsweredError
    if asked.requester == actor.username:
        raise SelfApprovalError
    if has_lapsed(asked, now):
        raise ApprovalExpiredError
    role = role_for(connection, actor.username, asked)
    if role is None or not role.old_enough:
        raise ApproverTooNewError
    return asked, role
