"""Requests for approval by a second API administrator, each stored with its whole plan."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from lib.domain.approvals import Approval
from lib.domain.approver import ApproverRole
from lib.domain.clock import Moment
from lib.domain.plan import Plan, plan_from_json, plan_to_json
from lib.domain.states import ApprovalState
from lib.store import tables
from lib.store.columns import select_list

_APPROVALS = (
    f"SELECT {select_list(Approval, 'a', organization_name='o.name', service_name='s.name')}"
    " FROM approval a JOIN organization o ON o.organization_id = a.organization_id"
    " JOIN service s ON s.service_id = a.service_id"
)


def add(connection: Connection, plan: Plan, now: Moment, reason: str) -> None:
    """Insert a waiting request for `plan`; do nothing if there is one already."""
    connection.execute(
        text(
            "INSERT INTO approval (organization_id, operation_id, service_id, requester, asked_at,"
            " users, plan, plan_digest, reason, state) VALUES (:organization, :operation,"
            " :service, :requester, :asked_at, :users, :plan, :digest, :reason, 'waiting')"
            " ON CONFLICT DO NOTHING"
        ),
        {
            "organization": plan.scope.organization_id,
            "operation": plan.operation_id,
            "service": plan.scope.service_id,
            "requester": plan.actor,
            "asked_at": now,
            "users": plan.preview.changed,
            "plan": plan_to_json(plan),
            "digest": plan.digest,
            "reason": reason,
        },
    )


def find(
    connection: Connection, organization_id: str, operation_id: str, *, lock: bool = False
) -> Approval | None:
    """Return the request for one operation, or None. `lock` blocks other answers until commit."""
    locked = " FOR UPDATE OF a" if lock and connection.dialect.name == "postgresql" else ""
    row = connection.execute(
        text(
            f"{_APPROVALS} WHERE a.organization_id = :organization AND a.operation_id = :operation"
            f"{locked}"
        ),
        {"organization": organization_id, "operation": operation_id},
    ).one_or_none()
    return _approval(row) if row else None


def still_open(connection: Connection, asked_since: Moment, limit: int) -> list[Approval]:
    """Return at most `limit` requests made after `asked_since`, oldest first.

    Without rejected requests, and without those whose operation was executed.
    """
    rows = connection.execute(
        text(
            f"{_APPROVALS} WHERE a.asked_at > :since AND a.state <> 'rejected' AND NOT EXISTS"
            " (SELECT 1 FROM operation p WHERE p.organization_id = a.organization_id"
            " AND p.operation_id = a.operation_id) ORDER BY a.asked_at LIMIT :limit"
        ),
        {"since": asked_since, "limit": limit},
    )
    return [_approval(row) for row in rows]


def _approval(row: Sequence[Any]) -> Approval:
    found = Approval._make(row)
    return found._replace(state=ApprovalState(found.state))


def plan_of(connection: Connection, organization_id: str, operation_id: str) -> Plan:
    """Return the plan of a request. Raises NoResultFound if there is no such request."""
    kept = connection.execute(
        text(
            "SELECT plan FROM approval"
            " WHERE organization_id = :organization AND operation_id = :operation"
        ),
        {"organization": organization_id, "operation": operation_id},
    ).scalar_one()
    return plan_from_json(kept)


def answer(
    connection: Connection,
    organization_id: str,
    operation_id: str,
    state: ApprovalState,
    answered_by: str,
    now: Moment,
    role: ApproverRole,
) -> None:
    """Store the answer to a request, and the role with which the person answered."""
    approval = tables.approval
    connection.execute(
        approval.update()
        .where(
            approval.c.organization_id == organization_id,
            approval.c.operation_id == operation_id,
        )
        .values(
            state=state.value,
            answered_by=answered_by,
            answered_at=now,
            approver_granted_by=role.granted_by,
            approver_granted_at=role.granted_at,
        )
    )


def role_of_answer(
    connection: Connection, organization_id: str, operation_id: str
) -> ApproverRole | None:
    """Return the role with which a request was answered.

    None if it has no answer, or if the answer is older than the stored roles (migration 0005).
    """
    row = connection.execute(
        text(
            "SELECT approver_granted_by, approver_granted_at FROM approval"
            " WHERE organization_id = :organization AND operation_id = :operation"
            " AND approver_granted_at IS NOT NULL"
        ),
        {"organization": organization_id, "operation": operation_id},
    ).one_or_none()
    return ApproverRole(row[0], row[1], old_enough=True) if row else None
