"""Operations: the lock of a scope, the row of an operation, and a result row for each user."""

import zlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.domain.expiry import ExpiryPolicy
from lib.domain.lifecycle import ActiveFlags
from lib.domain.operations import Batch, Receipt, ResultRow, Scope, SkippedUser
from lib.domain.plan import Plan
from lib.domain.states import Action, Cause, Delivery, ExistingTokens, Skip, Status
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.columns import select_list

_GENERATION_LOCK = 0x67656E << 32  # "gen"; with a hash of the person, the advisory lock's key
_SCOPE = (
    "SELECT o.name, o.status, s.name, b.status, s.token_days, o.token_days FROM subscription b"
    " JOIN organization o ON o.organization_id = b.organization_id"
    " JOIN service s ON s.service_id = b.service_id"
    " WHERE b.organization_id = :organization AND b.service_id = :service"
)


def lock_scope(connection: Connection, organization_id: str, service_id: str) -> Scope | None:
    """Lock one organization and service against other writers, and raise its revision.

    Returns None if there is no such subscription. On SQLite the whole database is locked already
    (BEGIN IMMEDIATE). On PostgreSQL the UPDATE locks the row of the subscription.
    """
    connection.execute(
        text(
            "UPDATE subscription SET revision = revision + 1"
            " WHERE organization_id = :organization AND service_id = :service"
        ),
        {"organization": organization_id, "service": service_id},
    )
    return read_scope(connection, organization_id, service_id)


def read_scope(connection: Connection, organization_id: str, service_id: str) -> Scope | None:
    """Return one organization and service with names, active flags and policy, or None."""
    row = connection.execute(
        text(_SCOPE), {"organization": organization_id, "service": service_id}
    ).one_or_none()
    if row is None:
        return None
    active = Status.ACTIVE.value
    active_flags = ActiveFlags(organization=row[1] == active, subscription=row[3] == active)
    policy = ExpiryPolicy(row[4], row[5])
    return Scope(organization_id, row[0], service_id, row[2], active_flags, policy)


def revision(connection: Connection, organization_id: str, service_id: str) -> int | None:
    """Return the revision of a scope, or None.

    It rises with every change of the tokens or users of the organization and service.
    """
    return connection.execute(
        text(
            "SELECT revision FROM subscription"
            " WHERE organization_id = :organization AND service_id = :service"
        ),
        {"organization": organization_id, "service": service_id},
    ).scalar()


def add_operation(
    connection: Connection,
    plan: Plan,
    now: Moment,
    csv_name: str,
    csv_sha256: str,
    batch: Batch,
) -> None:
    """Insert the operation that executes `plan`, and a result row for each user."""
    scope = plan.scope
    connection.execute(
        tables.operation.insert().values(
            organization_id=scope.organization_id,
            operation_id=plan.operation_id,
            service_id=scope.service_id,
            action=plan.action.value,
            existing_tokens=plan.existing_tokens.value,
            actor=plan.actor,
            confirmed_at=now,
            plan_digest=plan.digest,
            changed=plan.preview.changed,
            skipped=len(plan.preview.skipped),
            csv_name=csv_name,
            csv_sha256=csv_sha256,
            csv_delivery=(Delivery.NOT_SENT if csv_name else Delivery.NONE).value,
            batch_id=batch.batch_id,
            cause=batch.cause.value,
        )
    )
    fixed = (scope.organization_id, plan.operation_id)
    insert_many(
        connection,
        tables.operation_result,
        (
            "organization_id",
            "operation_id",
            "member_id",
            "result",
            "had_pending",
            "had_accepted",
        ),
        (
            (*fixed, member_id, skip.value if skip else "done", pending, accepted)
            for member_id, (pending, accepted, skip) in plan.seen.items()
        ),
    )


def lock_generation(connection: Connection, actor: str) -> None:
    """Wait until no other Generate & Export of `actor` runs, in any organization.

    Without this lock two exports at once in two organizations would not see each other in
    `generated_since`. Take it before `lock_scope`, to prevent deadlocks. On SQLite the whole
    database is locked already. On PostgreSQL this is an advisory lock. The account's row would not
    do, since an import updates it after it has locked the scopes.
    """
    if connection.dialect.name == "postgresql":
        key = _GENERATION_LOCK | zlib.crc32(actor.encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def generated_since(connection: Connection, actor: str, since: Moment) -> int:
    """Return how many tokens `actor` generated after `since`, in all organizations.

    Without the tokens of exports that a second administrator had approved. Tokens of an export that
    was undone count too: the person has had them.
    """
    found = connection.execute(
        text(
            "SELECT COALESCE(SUM(o.changed), 0) FROM operation o"
            " WHERE o.action = 'generate' AND o.cause <> 'undo' AND o.actor = :actor"
            " AND o.confirmed_at > :since AND NOT EXISTS (SELECT 1 FROM approval a"
            "  WHERE a.organization_id = o.organization_id AND a.operation_id = o.operation_id"
            "  AND a.state = 'approved' AND a.answered_at <= o.confirmed_at)"
        ),
        {"actor": actor, "since": since},
    )
    return int(found.scalar_one())


def find_receipt(connection: Connection, organization_id: str, operation_id: str) -> Receipt | None:
    """Return the receipt of an operation, or None if it was not executed."""
    parameters = {"organization": organization_id, "operation": operation_id}
    row = connection.execute(
        text(
            "SELECT action, actor, service_id, confirmed_at, changed, csv_name, csv_sha256,"
            " existing_tokens, cause, undoes, csv_delivery FROM operation"
            " WHERE organization_id = :organization AND operation_id = :operation"
        ),
        parameters,
    ).one_or_none()
    if row is None:
        return None
    skipped = connection.execute(
        text(f"{_RESULTS} AND r.result <> 'done' {_RESULT_ORDER}"), parameters
    )
    return Receipt(
        operation_id,
        Action(row.action),
        row.actor,
        organization_id,
        row.service_id,
        row.confirmed_at,
        row.changed,
        row.csv_name,
        row.csv_sha256,
        tuple(SkippedUser(r.name, r.username, Skip(r.result)) for r in skipped),
        ExistingTokens(row.existing_tokens),
        Cause(row.cause),
        row.undoes,
        Delivery(row.csv_delivery),
    )


def record_sent(connection: Connection, organization_id: str, operation_id: str) -> Delivery:
    """Record that all of an operation's CSV was sent once more; return what is recorded now."""
    found = connection.execute(
        text(
            "UPDATE operation SET csv_delivery ="
            " CASE csv_delivery WHEN 'not sent' THEN 'sent' ELSE 'sent again' END"
            " WHERE organization_id = :organization AND operation_id = :operation"
            " AND csv_name <> '' RETURNING csv_delivery"
        ),
        {"organization": organization_id, "operation": operation_id},
    )
    return Delivery(found.scalar() or Delivery.NONE)


def latest_export(
    connection: Connection, actor: str, organization_id: str, service_id: str, since: Moment
) -> str | None:
    """Return the id of the newest Generate & Export of `actor` in a scope after `since`, or None.

    An export that was undone does not count.
    """
    found = connection.execute(
        text(
            "SELECT o.operation_id FROM operation o WHERE o.action = 'generate'"
            " AND o.cause <> 'undo' AND o.actor = :actor AND o.confirmed_at > :since"
            " AND o.organization_id = :organization AND o.service_id = :service"
            " AND NOT EXISTS (SELECT 1 FROM operation x"
            "  WHERE x.organization_id = o.organization_id AND x.undoes = o.operation_id"
            "  AND x.undoes <> '')"
            " ORDER BY o.confirmed_at DESC, o.operation_id DESC LIMIT 1"
        ),
        {
            "actor": actor,
            "since": since,
            "organization": organization_id,
            "service": service_id,
        },
    )
    return found.scalar()


def result_rows(
    connection: Connection, organization_id: str, operation_id: str
) -> Iterable[ResultRow]:
    """Return the result of the operation for each user, in the order of the table."""
    rows = connection.execute(
        text(f"{_RESULTS} {_RESULT_ORDER}"),
        {"organization": organization_id, "operation": operation_id},
    )
    return [ResultRow._make(row) for row in rows]


_RESULTS = (
    f"SELECT {select_list(ResultRow, 'm', result='r.result')} FROM operation_result r JOIN member m"
    " ON m.organization_id = r.organization_id AND m.member_id = r.member_id"
    " WHERE r.organization_id = :organization AND r.operation_id = :operation"
)
_RESULT_ORDER = "ORDER BY m.sort_key, m.member_id"
