"""The operations that an undo takes back, and who may: checks for lib.operations.undo."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from lib.domain import roles
from lib.domain.activity import OperationFacts
from lib.domain.clock import Moment
from lib.domain.errors import (
    NotAllowedError,
    NotUndoableError,
    OutOfReachError,
    UnknownOperationError,
)
from lib.domain.roles import Permission
from lib.domain.states import Cause
from lib.domain.undo import undo_refusal
from lib.operations.access import reach_if_any, require
from lib.store import activity_queries


def operations_to_undo(
    connection: Connection, organization_id: str, operation_id: str, username: str | None = None
) -> list[OperationFacts]:
    """Return the operation, or all of its batch, in the order of the locks.

    Raises UnknownOperationError; for a `username` who may not see the organization NotAllowedError.
    """
    found = activity_queries.find_operation(connection, organization_id, operation_id)
    if found is None:
        if username is not None:
            require(connection, username, Permission.ACTIVITY, organization_id)
        raise UnknownOperationError(operation_id)
    if found.cause is not Cause.OFF_BOARDING:
        return [found]
    batch = activity_queries.operations_of_batch(connection, found.batch_id)
    return sorted(batch, key=lambda o: (o.organization_id, o.service_id, o.operation_id))


def permission_of(operation: OperationFacts) -> Permission:
    """Return the permission that the operation itself needed."""
    if operation.cause is Cause.OFF_BOARDING:
        return Permission.OFF_BOARD
    return Permission(operation.action.value)


def out_of_reach(
    connection: Connection, username: str, operations: Sequence[OperationFacts]
) -> set[str]:
    """Return the organizations in which the person may not do what the operations did."""
    within = reach_if_any(connection, username, permission_of(operations[0]))
    return {
        operation.organization_id
        for operation in operations
        if not roles.covers(within, operation.organization_id)
    }


def require_all(
    connection: Connection, username: str, operations: Sequence[OperationFacts]
) -> None:
    """Raise NotAllowedError, or OutOfReachError when a part of a batch is within reach."""
    missing = out_of_reach(connection, username, operations)
    if not missing:
        return
    permission = permission_of(operations[0])
    if missing == {operation.organization_id for operation in operations}:
        raise NotAllowedError(username, permission)
    raise OutOfReachError(username, permission, len(missing))


def require_undoable(operations: Sequence[OperationFacts], undo_days: int, now: Moment) -> None:
    """Raise NotUndoableError if one of the operations cannot be undone at `now`."""
    for operation in operations:
        refusal = undo_refusal(operation, undo_days, now)
        if refusal:
            raise NotUndoableError(refusal)


def with_siblings(
    operations: Sequence[OperationFacts],
) -> list[tuple[OperationFacts, Collection[str]]]:
    """Return each operation with the ids of all that are undone together in its place."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for operation in operations:
        ids[operation.organization_id, operation.service_id].add(operation.operation_id)
    return [(o, ids[o.organization_id, o.service_id]) for o in operations]


def read_again(connection: Connection, operation: OperationFacts) -> OperationFacts:
    """Return an operation as it is now: somebody else may have undone it."""
    place = (operation.organization_id, operation.operation_id)
    found = activity_queries.find_operation(connection, *place)
    if found is None:
        raise UnknownOperationError(operation.operation_id)
    return found
