"""Undo: the members of an operation with their rows, and the rows that an undo ends and revives.

Live states are literals in the SQL (see lib.store.tables for the reason).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from lib.domain.activity import OperationFacts
from lib.domain.clock import Moment
from lib.domain.ids import ID_LENGTH, new_ids
from lib.domain.operations import Batch
from lib.domain.states import TokenState
from lib.domain.undo import FormerRow, LiveRow, RowFate, UndoMember
from lib.domain.undo_plan import UndoPart
from lib.store import tables
from lib.store.bulk import ids_parameter, insert_many, with_ids
from lib.store.columns import unexpired

_LIVE_COLUMNS = (
    "{0}.token_id, COALESCE({0}.first_token_id, {0}.token_id), {0}.made_by_operation,"
    " {0}.last_used_at IS NOT NULL"
)
_FORMER_COLUMNS = (
    "{0}.token_id, COALESCE({0}.first_token_id, {0}.token_id), {0}.ended_by_operation,"
    " {0}.digest IS NOT NULL, {0}.digest IS NULL AND {0}.issued_at IS NOT NULL,"
    " {0}.barred_at IS NOT NULL, {0}.expires_at IS NOT NULL AND {0}.expires_at <= :now"
)
_COLUMNS = ", ".join(
    [
        *(_LIVE_COLUMNS.format(name) for name in ("p", "a")),
        *(_FORMER_COLUMNS.format(name) for name in ("hp", "ha")),
    ]
)
# The live rows by a subquery: right after 10,000 inserts PostgreSQL expects no pending row, and a
# plain join took 50 s. For the same reason the updates below name ids and no states.
_JOINS = " ".join(
    [
        *(
            f"LEFT JOIN token {name} ON {name}.organization_id = r.organization_id"
            f" AND {name}.token_id = (SELECT x.token_id FROM token x"
            "  WHERE x.organization_id = r.organization_id AND x.service_id = :service"
            f"  AND x.member_id = r.member_id AND x.state = '{state}' AND {unexpired('x')})"
            for name, state in (("p", "pending"), ("a", "accepted"))
        ),
        *(
            f"LEFT JOIN token h{name} ON h{name}.organization_id = r.organization_id"
            f" AND h{name}.token_id = r.had_{state}"
            for name, state in (("p", "pending"), ("a", "accepted"))
        ),
    ]
)
_LIVE_WIDTH, _FORMER_WIDTH = len(LiveRow._fields), len(FormerRow._fields)


def organization_of(connection: Connection, operation_id: str) -> str | None:
    """Return the organization that has this operation, or None. It searches all operations."""
    found = connection.execute(
        text("SELECT organization_id FROM operation WHERE operation_id = :operation"),
        {"operation": operation_id},
    )
    return found.scalar()


def members_of(connection: Connection, operation: OperationFacts, now: Moment) -> list[UndoMember]:
    """Return the members whom `operation` changed, in the order of the table."""
    rows = connection.execute(
        text(
            f"SELECT m.member_id, m.name, m.username, {_COLUMNS} FROM operation_result r"
            " JOIN member m ON m.organization_id = r.organization_id AND m.member_id = r.member_id"
            f" {_JOINS} WHERE r.organization_id = :organization AND r.operation_id = :operation"
            # An expression: else SQLite reads the whole organization in the order of an index.
            " AND r.result = 'done' ORDER BY m.sort_key || '', m.member_id"
        ),
        _place(operation) | {"operation": operation.operation_id, "now": now},
    )
    return [_member(row) for row in rows]


def _member(row: Sequence[Any]) -> UndoMember:
    accepted, had_pending = 3 + _LIVE_WIDTH, 3 + 2 * _LIVE_WIDTH
    had_accepted = had_pending + _FORMER_WIDTH
    return UndoMember(
        row[0],
        row[1],
        row[2],
        LiveRow._make(row[3:accepted]) if row[3] else None,
        LiveRow._make(row[accepted:had_pending]) if row[accepted] else None,
        FormerRow._make(row[had_pending:had_accepted]) if row[had_pending] else None,
        FormerRow._make(row[had_accepted:]) if row[had_accepted] else None,
    )


def next_expiry(connection: Connection, operation: OperationFacts, now: Moment) -> Moment | None:
    """Return when the next token of a member whom `operation` changed expires; None for never."""
    found = connection.execute(
        text(
            "SELECT min(t.expires_at) FROM operation_result r JOIN token t"
            " ON t.organization_id = r.organization_id AND t.member_id = r.member_id"
            " WHERE r.organization_id = :organization AND r.operation_id = :operation"
            " AND r.result = 'done' AND t.service_id = :service AND t.expires_at > :now"
        ),
        _place(operation) | {"operation": operation.operation_id, "now": now},
    )
    return found.scalar()


def fates_of(
    connection: Connection, operation: OperationFacts, member_ids: Iterable[str], now: Moment
) -> dict[str, list[RowFate]]:
    """Return the last state of each token and request of `member_ids`, by member id."""
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT t.member_id, COALESCE(t.first_token_id, t.token_id), t.made_by_operation,"
            " CASE WHEN t.ended_at IS NULL AND t.expires_at <= :now THEN 'expired'"
            " ELSE t.state END,"
            " t.barred_at IS NOT NULL FROM token t WHERE t.organization_id = :organization"
            " AND t.member_id IN (SELECT value FROM {ids} i) AND t.service_id = :service"
            " AND NOT EXISTS (SELECT 1 FROM token n WHERE n.organization_id = t.organization_id"
            "  AND n.revives = t.token_id)",
        ),
        _place(operation) | {"ids": ids_parameter(connection, member_ids), "now": now},
    )
    fates = defaultdict(list)
    for member_id, first_id, made_by, state, barred in rows:
        fates[member_id].append(RowFate(first_id, made_by, TokenState(state), bool(barred)))
    return fates


def add_undo(connection: Connection, part: UndoPart, actor: str, now: Moment, batch: Batch) -> None:
    """Insert the operation that undoes another one, and a result row for each user."""
    undone = part.undone
    connection.execute(
        tables.operation.insert().values(
            organization_id=undone.organization_id,
            operation_id=part.operation_id,
            service_id=undone.service_id,
            action=undone.action.value,
            actor=actor,
            confirmed_at=now,
            plan_digest=part.digest,
            changed=part.preview.restored,
            skipped=len(part.preview.skipped),
            batch_id=batch.batch_id,
            cause=batch.cause.value,
            undoes=undone.operation_id,
        )
    )
    fixed = (undone.organization_id, part.operation_id)
    insert_many(
        connection,
        tables.operation_result,
        ("organization_id", "operation_id", "member_id", "result"),
        (
            (*fixed, member_id, seen.skip.value if seen.skip else "done")
            for member_id, seen in part.seen.items()
        ),
    )


def end_made(connection: Connection, part: UndoPart, now: Moment) -> None:
    """End the pending rows that the undone operation made, of every user who is restored."""
    ends = [seen.ends for seen in part.seen.values() if seen.ends]
    connection.execute(
        with_ids(
            connection,
            "UPDATE token SET state = 'undone', ended_from = 'pending', ended_at = :now,"
            " ended_by_operation = :operation WHERE organization_id = :organization"
            " AND token_id IN (SELECT value FROM {ids} i)",
        ),
        {
            "organization": part.undone.organization_id,
            "operation": part.operation_id,
            "now": now,
            "ids": ids_parameter(connection, ends),
        },
    )


def revive(connection: Connection, part: UndoPart, now: Moment) -> None:
    """Move the digests of the rows to revive to new rows, which live from `now` on."""
    old = [token_id for seen in part.seen.values() for token_id in seen.revives]
    # Each pair of ids as one text. CROSS JOIN makes SQLite read the pairs first.
    pairs = map("".join, zip(old, new_ids(len(old), now), strict=True))
    carried, organization = ", ".join(_CARRIED), {"organization": part.undone.organization_id}
    connection.execute(
        with_ids(
            connection,
            f"INSERT INTO token (organization_id, token_id, {carried}, state, created_at, revives,"
            f" first_token_id) SELECT t.organization_id, substr(i.value, {ID_LENGTH + 1}),"
            f" {carried}, t.ended_from, CAST(:now AS BIGINT), t.token_id,"
            " COALESCE(t.first_token_id, t.token_id) FROM {ids} i CROSS JOIN token t"
            " WHERE t.organization_id = :organization"
            f" AND t.token_id = substr(i.value, 1, {ID_LENGTH})",
        ),
        organization | {"now": now, "ids": ids_parameter(connection, pairs)},
    )
    connection.execute(
        with_ids(
            connection,
            "UPDATE token SET digest = NULL, pepper = NULL WHERE organization_id = :organization"
            " AND token_id IN (SELECT value FROM {ids} i)",
        ),
        organization | {"ids": ids_parameter(connection, old)},
    )


#: What a new row takes over from the one that it revives.
_CARRIED = (
    "service_id",
    "member_id",
    "origin",
    "digest",
    "pepper",
    "hint",
    "accepted_at",
    "last_used_at",
    "expires_at",
    "made_by_operation",
    "issued_at",
)


def _place(operation: OperationFacts) -> dict[str, Any]:
    return {"organization": operation.organization_id, "service": operation.service_id}
