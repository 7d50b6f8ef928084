"""Undo of an operation, or of an off-boarding as a whole (ruling 13).

It is planned, confirmed and executed as every operation: one transaction holds all that it changes,
its own operations and their events. The rules are in lib.domain.undo. Four eyes is not asked, since
an undo hands nothing out.
"""

import logging
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection

from lib.domain.access import Actor
from lib.domain.activity import OperationFacts
from lib.domain.audit import Event, EventAction, clean_reason
from lib.domain.clock import Moment
from lib.domain.errors import (
    NotAllowedError,
    NothingToDoError,
    PlanOutdatedError,
    UnknownOperationError,
)
from lib.domain.ids import new_id
from lib.domain.operations import Batch, ChangedUser, Receipt
from lib.domain.roles import Permission
from lib.domain.states import Cause
from lib.domain.undo import (
    UndoMember,
    UndoSnapshot,
    UndoState,
    has_what_was_left,
    undo_refusal,
    undo_snapshot,
    undo_until,
)
from lib.domain.undo_plan import UndoPart, UndoPlan, undo_differences, undo_digest, undo_preview
from lib.operations.access import require
from lib.operations.batches import lock_all
from lib.operations.command_line import SYSTEM, add_system_account
from lib.operations.grants import COMMAND_LINE
from lib.operations.undoable import (
    operations_to_undo,
    out_of_reach,
    permission_of,
    read_again,
    require_all,
    require_undoable,
    with_siblings,
)
from lib.operations.unit_of_work import UnitOfWork
from lib.store import operation_queries, token_queries, undo_queries
from lib.store.engine import reading

_log = logging.getLogger(__name__)


def read_undo_state(
    unit_of_work: UnitOfWork, actor: Actor, organization_id: str, operation_id: str
) -> UndoState:
    """Return whether an operation can be undone, and by the actor.

    Raises NotAllowedError without the permission to see it, and UnknownOperationError.
    """
    with reading(unit_of_work.engine) as connection:
        require(connection, actor.username, Permission.ACTIVITY, organization_id)
        operations = operations_to_undo(connection, organization_id, operation_id)
        days, now = unit_of_work.undo_days, unit_of_work.clock()
        refusals = (undo_refusal(operation, days, now) for operation in operations)
        first = next(o for o in operations if o.operation_id == operation_id)
        return UndoState(
            next(filter(None, refusals), None),
            undo_until(first, days),
            first.undone_by,
            not out_of_reach(connection, actor.username, operations),
        )


def plan_undo(
    unit_of_work: UnitOfWork, actor: Actor, organization_id: str, operation_id: str
) -> UndoPlan:
    """Return what undoing an operation would do. Nothing is written.

    An operation of an off-boarding stands for all operations of that off-boarding. Raises
    NotAllowedError, OutOfReachError when the actor may not undo all of a batch,
    UnknownOperationError, and NotUndoableError.
    """
    attempt = Event(EventAction.UNDO, actor.username, actor.address, organization_id)
    with unit_of_work.refusals_recorded(attempt), reading(unit_of_work.engine) as connection:
        operations = operations_to_undo(connection, organization_id, operation_id, actor.username)
        require_all(connection, actor.username, operations)
        return _plan(connection, unit_of_work, actor, operations)


def undo(
    unit_of_work: UnitOfWork, actor: Actor, plan: UndoPlan, *, reason: str = ""
) -> tuple[Receipt, ...]:
    """Undo what was planned, all of it or nothing, and return a receipt for each operation.

    A second call with the same plan returns the same receipts. Raises:

    - NotAllowedError, also when `actor` is not the person who made the plan; OutOfReachError;
    - NotUndoableError, when somebody else undid it first or the time is over;
    - NothingToDoError when the plan restores nobody;
    - PlanOutdatedError when the tokens of a user changed since the plan;
    - AuditNotWrittenError.
    """
    with unit_of_work.transaction(_event(plan.parts[0], actor, reason)) as connection:
        require_all(connection, actor.username, [part.undone for part in plan.parts])
        if actor.username != plan.actor:
            raise NotAllowedError(actor.username, permission_of(plan.parts[0].undone))
        return _execute(connection, unit_of_work, plan, lambda part: _event(part, actor, reason))


def plan_undo_by_command(unit_of_work: UnitOfWork, operation_id: str) -> UndoPlan:
    """As `plan_undo`, for the command line: no permission is checked, and the id suffices."""
    with reading(unit_of_work.engine) as connection:
        found = undo_queries.organization_of(connection, operation_id)
        if found is None:
            raise UnknownOperationError(operation_id)
        operations = operations_to_undo(connection, found, operation_id)
        return _plan(connection, unit_of_work, SYSTEM, operations)


def undo_by_command(
    unit_of_work: UnitOfWork, plan: UndoPlan, *, reason: str = ""
) -> tuple[Receipt, ...]:
    """As `undo`, for the command line: no permission is checked."""

    def by_command(part: UndoPart) -> Event:
        return _event(part, COMMAND_LINE, reason)

    with unit_of_work.transaction(by_command(plan.parts[0])) as connection:
        add_system_account(connection)
        return _execute(connection, unit_of_work, plan, by_command)


def _plan(
    connection: Connection,
    unit_of_work: UnitOfWork,
    actor: Actor,
    operations: Sequence[OperationFacts],
) -> UndoPlan:
    now = unit_of_work.clock()
    require_undoable(operations, unit_of_work.undo_days, now)
    parts = []
    for operation, undone in with_siblings(operations):
        place = (operation.organization_id, operation.service_id)
        revision = operation_queries.revision(connection, *place) or 0  # before the members
        members, seen = _look(connection, operation, undone, now)
        off_boards = operation.cause is Cause.OFF_BOARDING and members
        parts.append(
            UndoPart(
                new_id(now),
                operation,
                seen,
                undo_preview(operation, members, seen),
                undo_digest(seen),
                revision,
                undo_queries.next_expiry(connection, operation, now),
                members[0].username if off_boards else "",
            )
        )
    batch_id = new_id(now) if len(parts) > 1 else ""
    return UndoPlan(batch_id, actor.username, now, tuple(parts))


def _look(
    connection: Connection, operation: OperationFacts, undone: Collection[str], now: Moment
) -> tuple[list[UndoMember], dict[str, UndoSnapshot]]:
    """Return the members of an operation, and what undoing it would do to each of them now."""
    members = undo_queries.members_of(connection, operation, now)
    others = [m.member_id for m in members if not has_what_was_left(m, operation, undone)]
    fates = undo_queries.fates_of(connection, operation, others, now) if others else {}
    seen = {
        m.member_id: undo_snapshot(m, operation, undone, fates.get(m.member_id)) for m in members
    }
    return members, seen


def _execute(
    connection: Connection,
    unit_of_work: UnitOfWork,
    plan: UndoPlan,
    event_of: Callable[[UndoPart], Event],
) -> tuple[Receipt, ...]:
    """Execute `plan` in the caller's transaction. The caller has checked the permission."""
    places = [(part.undone.organization_id, part.undone.service_id) for part in plan.parts]
    lock_all(connection, places)
    earlier = _receipts(connection, plan)
    if earlier:
        return earlier
    now = unit_of_work.clock()  # after the wait for the locks
    operations = [read_again(connection, part.undone) for part in plan.parts]
    require_undoable(operations, unit_of_work.undo_days, now)
    _compare(connection, plan, operations, now)
    if not plan.preview.restored:
        raise NothingToDoError
    for part in plan.parts:
        undo_queries.add_undo(connection, part, plan.actor, now, Batch(Cause.UNDO, plan.batch_id))
        undo_queries.end_made(connection, part, now)
        undo_queries.revive(connection, part, now)
    unit_of_work.record(connection, *map(event_of, plan.parts))
    _log.info("undo: %d users restored", plan.preview.restored)
    return _receipts(connection, plan)


def _compare(
    connection: Connection, plan: UndoPlan, operations: Sequence[OperationFacts], now: Moment
) -> None:
    """Raise PlanOutdatedError if a user is no longer as the plan saw them.

    All parts are compared before the first one changes anything. Expired rows are closed first.
    Measured by tests/benchmarks/undo.py: looking again at a subscription whose revision is the same
    made an undo a third slower.
    """
    changed: list[ChangedUser] = []
    for part, (operation, undone) in zip(plan.parts, with_siblings(operations), strict=True):
        place = (operation.organization_id, operation.service_id)
        token_queries.close_lapsed(connection, *place, now, part.seen)
        before = (operation_queries.revision(connection, *place) or 0) - 1  # without our lock
        if part.is_fresh(before, now):
            continue
        members, seen = _look(connection, operation, undone, now)
        changed += undo_differences(part, members, seen)
    if changed:
        raise PlanOutdatedError(tuple(changed))


def _receipts(connection: Connection, plan: UndoPlan) -> tuple[Receipt, ...]:
    found = (
        operation_queries.find_receipt(connection, part.undone.organization_id, part.operation_id)
        for part in plan.parts
    )
    return tuple(filter(None, found))


def _event(part: UndoPart, actor: Actor, reason: str) -> Event:
    """Return the audit event of one part. Its detail names the action and the undone operation."""
    undone = part.undone
    return Event(
        EventAction.UNDO,
        actor.username,
        actor.address,
        undone.organization_id,
        undone.service_id,
        part.operation_id,
        subject=part.subject,
        users=part.preview.restored,
        users_digest=part.digest,
        reason=clean_reason(reason),
        detail=f"{undone.action.value} {undone.operation_id}",
    )
