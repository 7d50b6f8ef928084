"""The four bulk actions: request, cancel, generate & export, remove.

An action is planned at the first confirmation and executed at the last one. One transaction holds
everything that the operation changes: tokens, result rows and the audit event. It happens as a
whole and once, or not at all.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from lib.domain import plan as planning
from lib.domain import token_format
from lib.domain.access import Actor
from lib.domain.actions import ACTIONS
from lib.domain.approvals import Approval
from lib.domain.audit import KEEPS_EXISTING_TOKENS, Event, clean_reason
from lib.domain.clock import DAY, HOUR, Moment
from lib.domain.errors import (
    ApprovalExpiredError,
    ApprovalMissingError,
    NotAllowedError,
    NothingToDoError,
    PlanOutdatedError,
    SelectionChangedError,
    UnknownPlaceError,
)
from lib.domain.ids import new_id, new_ids
from lib.domain.lifecycle import Act, act_of, ending
from lib.domain.operations import NO_BATCH, Batch, Receipt, Scope
from lib.domain.plan import Plan
from lib.domain.roles import Permission
from lib.domain.states import Action, ApprovalState, Cause, Delivery, ExistingTokens, Origin
from lib.domain.token_format import Minting
from lib.domain.tokens import UserInScope, UserSnapshot
from lib.operations.access import require
from lib.operations.export_csv import export_csv
from lib.operations.unit_of_work import UnitOfWork
from lib.store import approval_queries, operation_queries, token_queries
from lib.store.engine import reading

_log = logging.getLogger(__name__)

APPROVAL_LASTS = HOUR  # from the request to the answer, and again from the answer to the download


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one executed plan.

    `csv` holds the new tokens in clear. Only the call that generated them gets it: it is None for
    the other actions, and for every later call with the same plan.
    """

    receipt: Receipt
    csv: bytes | None = field(default=None, repr=False)


def plan_action(
    unit_of_work: UnitOfWork,
    actor: Actor,
    action: Action,
    organization_id: str,
    service_id: str,
    member_ids: Sequence[str],
    existing_tokens: ExistingTokens = ExistingTokens.STOP,
) -> Plan:
    """Return what `action` would do to `member_ids`. Nothing is written.

    Only Generate & Export has a choice of `existing_tokens` (ruling 3); other actions ignore it.
    Raises NotAllowedError, UnknownPlaceError, and SelectionChangedError when an id is not a user of
    the organization.
    """
    attempt = Event(
        action,
        actor.username,
        actor.address,
        organization_id,
        service_id,
        users=len(member_ids),
    )
    with unit_of_work.refusals_recorded(attempt), reading(unit_of_work.engine) as connection:
        require(connection, actor.username, ACTIONS[action].permission, organization_id)
        return make_plan(
            connection,
            unit_of_work.clock(),
            actor,
            action,
            organization_id,
            service_id,
            member_ids,
            existing_tokens,
        )


def make_plan(
    connection: Connection,
    now: Moment,
    actor: Actor,
    action: Action,
    organization_id: str,
    service_id: str,
    member_ids: Sequence[str],
    existing_tokens: ExistingTokens = ExistingTokens.STOP,
) -> Plan:
    """As `plan_action`, in the caller's transaction. The caller has checked the permission."""
    scope = operation_queries.read_scope(connection, organization_id, service_id)
    if scope is None:
        raise UnknownPlaceError(organization_id, service_id)
    users = token_queries.users_in_scope(connection, organization_id, service_id, now, member_ids)
    if len(users) != len(set(member_ids)):
        raise SelectionChangedError(len(set(member_ids)) - len(users))
    if action is not Action.GENERATE:
        existing_tokens = ExistingTokens.STOP
    act = act_of(action, existing_tokens)
    seen = _snapshot(users, act, scope)
    counts = planning.preview(users, seen, ending(act), now)
    return Plan(new_id(now), action, actor.username, now, scope, seen, counts, existing_tokens)


def execute(
    unit_of_work: UnitOfWork, actor: Actor, plan: Plan, minting: Minting, *, reason: str = ""
) -> Outcome:
    """Execute `plan`: all of it or nothing, and once for its operation id.

    A second call with the same plan returns the receipt of the first one. Only Generate & Export
    uses `minting`. Raises:

    - NotAllowedError, also when `actor` is not the person who made the plan;
    - UnknownPlaceError; NothingToDoError when the plan skips everyone;
    - PlanOutdatedError when tokens or active flags of a selected user changed since the plan;
    - ApprovalMissingError and ApprovalExpiredError (lib.operations.approvals);
    - AuditNotWrittenError.
    """
    event = event_of(plan, actor, reason)
    with unit_of_work.transaction(event) as connection:
        permission = ACTIONS[plan.action].permission
        require(connection, actor.username, permission, plan.scope.organization_id)
        if actor.username != plan.actor:
            raise NotAllowedError(actor.username, permission)
        outcome = execute_within(connection, unit_of_work, plan, minting, event)
    _log.info("%s: %d users changed", plan.action.value, plan.preview.changed)
    return outcome


def execute_within(
    connection: Connection,
    unit_of_work: UnitOfWork,
    plan: Plan,
    minting: Minting,
    event: Event,
    *,
    batch: Batch = NO_BATCH,
) -> Outcome:
    """As `execute`, in the caller's transaction. The caller has checked the permission."""
    organization_id, service_id = plan.scope.organization_id, plan.scope.service_id
    if plan.action is Action.GENERATE and unit_of_work.four_eyes:
        operation_queries.lock_generation(connection, plan.actor)
    scope = operation_queries.lock_scope(connection, organization_id, service_id)
    if scope is None:
        raise UnknownPlaceError(organization_id, service_id)
    earlier = operation_queries.find_receipt(connection, organization_id, plan.operation_id)
    if earlier:
        return Outcome(earlier)
    if not plan.preview.changed:
        raise NothingToDoError
    now = unit_of_work.clock()
    _require_four_eyes(connection, unit_of_work, plan, now)
    outcome = _apply_plan(connection, now, plan, scope, minting, batch, unit_of_work.request_days)
    details = filter(None, (outcome.receipt.csv_name, event.detail))
    unit_of_work.record(connection, event._replace(detail="; ".join(details)))
    return outcome


def needs_approval(unit_of_work: UnitOfWork, plan: Plan) -> bool:
    """Tell whether a second API administrator must approve `plan` before it can be executed."""
    with reading(unit_of_work.engine) as connection:
        return needs_approval_within(connection, unit_of_work, plan, unit_of_work.clock())


def needs_approval_within(
    connection: Connection, unit_of_work: UnitOfWork, plan: Plan, now: Moment
) -> bool:
    """As `needs_approval`, in the caller's transaction.

    Tokens that the same person generated within the last hour count too, in every organization.
    Otherwise one person could pass the limit in small steps.
    """
    if plan.action is not Action.GENERATE or not unit_of_work.four_eyes:
        return False
    receivers = sum(not seen.skip for seen in plan.seen.values())
    lately = operation_queries.generated_since(connection, plan.actor, now - APPROVAL_LASTS)
    return receivers + lately > unit_of_work.four_eyes


def check_plan(connection: Connection, now: Moment, plan: Plan) -> None:
    """Raise PlanOutdatedError when the selected users are no longer as `plan` saw them.

    Raises UnknownPlaceError and SelectionChangedError too.
    """
    organization_id, service_id = plan.scope.organization_id, plan.scope.service_id
    scope = operation_queries.read_scope(connection, organization_id, service_id)
    if scope is None:
        raise UnknownPlaceError(organization_id, service_id)
    _compare(connection, now, plan, scope)


def event_of(plan: Plan, actor: Actor, reason: str = "") -> Event:
    """Return the audit event for executing `plan`: who, from where, what, on how many, and why.

    Its detail says that existing tokens keep working, if so.
    """
    keeps = plan.existing_tokens is ExistingTokens.KEEP
    return Event(
        plan.action,
        actor.username,
        actor.address,
        plan.scope.organization_id,
        plan.scope.service_id,
        plan.operation_id,
        users=plan.preview.changed,
        users_digest=plan.digest,
        reason=clean_reason(reason),
        detail=KEEPS_EXISTING_TOKENS if keeps else "",
    )


def _apply_plan(
    connection: Connection,
    now: Moment,
    plan: Plan,
    scope: Scope,
    minting: Minting,
    batch: Batch,
    request_days: int,
) -> Outcome:
    """Compare the plan with the rows of now, then end and add tokens. The caller holds the lock."""
    token_queries.close_lapsed(connection, scope.organization_id, scope.service_id, now, plan.seen)
    users = _compare(connection, now, plan, scope)
    receivers = [user for user in users if not plan.seen[user.member_id].skip]
    if ending(plan.act).creates is Origin.EXPORT:
        return _generate(connection, now, plan, scope, receivers, minting)
    _record(connection, now, plan, batch=batch)
    if ending(plan.act).creates is Origin.REQUEST:
        ids = zip(new_ids(len(receivers), now), (u.member_id for u in receivers), strict=True)
        lapses_at = now + request_days * DAY
        token_queries.add_requests(connection, scope, plan.operation_id, now, lapses_at, ids)
    return Outcome(_receipt(plan, now, cause=batch.cause))


def _require_four_eyes(
    connection: Connection, unit_of_work: UnitOfWork, plan: Plan, now: Moment
) -> None:
    """Raise ApprovalMissingError or ApprovalExpiredError if `plan` needs an approval and has none.

    A plan for which approval was requested needs it in any case, however small the plan is.
    """
    if plan.action is not Action.GENERATE:
        return
    approval = approval_queries.find(connection, plan.scope.organization_id, plan.operation_id)
    if approval or needs_approval_within(connection, unit_of_work, plan, now):
        _require_approved(connection, plan, approval, now)


def _require_approved(
    connection: Connection, plan: Plan, approval: Approval | None, now: Moment
) -> None:
    """Raise unless a second administrator approved exactly this plan, within the last hour."""
    if (
        approval is None
        or approval.answered_at is None
        or approval.state is not ApprovalState.APPROVED
        or (approval.plan_digest, approval.service_id, approval.requester)
        != (plan.digest, plan.scope.service_id, plan.actor)
    ):
        raise ApprovalMissingError
    # The approver must still have the permission.
    organization_id = plan.scope.organization_id
    require(connection, approval.answered_by or "", Permission.APPROVE, organization_id)
    if now - approval.answered_at > APPROVAL_LASTS:
        raise ApprovalExpiredError


def _compare(connection: Connection, now: Moment, plan: Plan, scope: Scope) -> list[UserInScope]:
    """Return the plan's users as they are now.

    Raises PlanOutdatedError and SelectionChangedError.
    """
    users = token_queries.users_in_scope(
        connection, scope.organization_id, scope.service_id, now, plan.seen
    )
    if len(users) != len(plan.seen):
        raise SelectionChangedError(len(plan.seen) - len(users))
    changed = planning.differences(plan, users, _snapshot(users, plan.act, scope))
    if changed:
        raise PlanOutdatedError(changed)
    return users


def _generate(
    connection: Connection,
    now: Moment,
    plan: Plan,
    scope: Scope,
    receivers: Sequence[UserInScope],
    minting: Minting,
) -> Outcome:
    tokens = token_format.mint(len(receivers), minting.prefix)
    csv = export_csv(scope, receivers, tokens, now)
    sha256 = hashlib.sha256(csv).hexdigest()
    _record(connection, now, plan, plan.csv_name, sha256)
    rows = zip(
        new_ids(len(receivers), now),
        (user.member_id for user in receivers),
        minting.digests(tokens),
        map(token_format.hint, tokens),
        strict=True,
    )
    token_queries.add_exported(
        connection, scope, plan.operation_id, now, minting.pepper_number, rows
    )
    return Outcome(_receipt(plan, now, plan.csv_name, sha256), csv)


def _record(
    connection: Connection,
    now: Moment,
    plan: Plan,
    csv_name: str = "",
    csv_sha256: str = "",
    batch: Batch = NO_BATCH,
) -> None:
    """Insert the operation and its results, then end tokens. New tokens are added after this."""
    operation_queries.add_operation(connection, plan, now, csv_name, csv_sha256, batch)
    token_queries.end_tokens(connection, plan.scope, plan.operation_id, ending(plan.act), now)


def _receipt(
    plan: Plan,
    now: Moment,
    csv_name: str = "",
    csv_sha256: str = "",
    cause: Cause = Cause.BULK,
) -> Receipt:
    return Receipt(
        plan.operation_id,
        plan.action,
        plan.actor,
        plan.scope.organization_id,
        plan.scope.service_id,
        now,
        plan.preview.changed,
        csv_name,
        csv_sha256,
        plan.preview.skipped,
        plan.existing_tokens,
        cause,
        delivery=Delivery.NOT_SENT if csv_name else Delivery.NONE,
    )


def _snapshot(users: Iterable[UserInScope], act: Act, scope: Scope) -> dict[str, UserSnapshot]:
    return {user.member_id: planning.snapshot_of(user, act, scope.active_flags) for user in users}
