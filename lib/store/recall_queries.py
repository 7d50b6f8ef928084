"""Leaked tokens by their digests, live or ended, and the live tokens of their operations."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, text

from lib.domain.clock import Moment
from lib.domain.states import TokenState
from lib.domain.tokens import LeakedToken
from lib.store.bulk import ids_parameter, with_ids
from lib.store.columns import select_list, unexpired

_AT_ONCE = 500  # digests in one statement
_COLUMNS = select_list(
    LeakedToken,
    "t",
    organization_name="o.name",
    service_name="s.name",
    name="m.name",
    username="m.username",
    state="CASE WHEN t.ended_at IS NULL AND t.expires_at <= :now THEN 'expired' ELSE t.state END",
    hint="COALESCE(t.hint, '')",
    operation_id="CASE WHEN t.origin = 'export' THEN COALESCE(t.made_by_operation, '') ELSE '' END",
    barred="t.barred_at IS NOT NULL",
)
_LEAKED = (
    f"SELECT {_COLUMNS} FROM token t JOIN member m ON m.organization_id = t.organization_id"
    " AND m.member_id = t.member_id JOIN organization o ON o.organization_id = t.organization_id"
    " JOIN service s ON s.service_id = t.service_id"
)


def find(connection: Connection, digests: Sequence[bytes], now: Moment) -> list[LeakedToken]:
    """Return the tokens with one of `digests`, sorted by organization, service and user name."""
    found = []
    for first in range(0, len(digests), _AT_ONCE):
        chunk = digests[first : first + _AT_ONCE]
        for kind in ("IS NULL", "IS NOT NULL"):  # each has its own partial index
            statement = text(f"{_LEAKED} WHERE t.digest IN :digests AND t.ended_at {kind}")
            rows = connection.execute(
                statement.bindparams(bindparam("digests", expanding=True)),
                {"digests": list(chunk), "now": now},
            )
            found += [_leaked(row) for row in rows]
    return sorted(found, key=_in_order)


def find_again(
    connection: Connection, organization_id: str, token_ids: Sequence[str], now: Moment
) -> list[LeakedToken]:
    """Return tokens of one organization by their ids, in the order of `find`."""
    rows = connection.execute(
        with_ids(
            connection,
            f"{_LEAKED} WHERE t.organization_id = :organization"
            " AND t.token_id IN (SELECT value FROM {ids} i)",
        ),
        {
            "organization": organization_id,
            "ids": ids_parameter(connection, token_ids),
            "now": now,
        },
    )
    return sorted(map(_leaked, rows), key=_in_order)


def live_of_operations(
    connection: Connection, organization_id: str, operation_ids: Iterable[str], now: Moment
) -> list[LeakedToken]:
    """Return the live tokens that these operations exported, in the order of `find`."""
    found = []
    for state in ("pending", "accepted"):
        rows = connection.execute(
            with_ids(
                connection,
                f"{_LEAKED} JOIN operation_result r ON r.organization_id = t.organization_id"
                " AND r.member_id = t.member_id AND r.operation_id = t.made_by_operation"
                " WHERE t.organization_id = :organization"
                " AND r.operation_id IN (SELECT value FROM {ids} i)"
                f" AND t.state = '{state}' AND t.digest IS NOT NULL AND {unexpired('t')}",
            ),
            {
                "organization": organization_id,
                "ids": ids_parameter(connection, operation_ids),
                "now": now,
            },
        )
        found += [_leaked(row) for row in rows]
    return sorted(found, key=_in_order)


def _in_order(leaked: LeakedToken) -> tuple[str, ...]:
    return leaked.organization_id, leaked.service_id, leaked.name, leaked.token_id


def _leaked(row: Sequence[object]) -> LeakedToken:
    leaked = LeakedToken._make(row)
    return leaked._replace(state=TokenState(leaked.state), barred=bool(leaked.barred))
