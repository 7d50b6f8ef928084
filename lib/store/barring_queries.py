"""Tokens that a recall or a revocation names: found by digest, and marked, so that none revives."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, text

from lib.domain.clock import Moment
from lib.domain.operations import ChangedUser
from lib.domain.states import Holding
from lib.domain.tokens import NamedToken
from lib.store.bulk import ids_parameter, with_ids
from lib.store.columns import select_list


def find_named(connection: Connection, digests: Sequence[bytes]) -> NamedToken | None:
    """Return the token with one of `digests`, live or ended; None without one."""
    found = []
    for kind in ("IS NULL", "IS NOT NULL"):  # each has its own partial index
        statement = text(
            f"SELECT {select_list(NamedToken, 't', username='m.username')} FROM token t"
            " JOIN member m ON m.organization_id = t.organization_id"
            f" AND m.member_id = t.member_id WHERE t.digest IN :digests AND t.ended_at {kind}"
        )
        rows = connection.execute(
            statement.bindparams(bindparam("digests", expanding=True)), {"digests": digests}
        )
        found += [NamedToken._make(row) for row in rows]
    return found[0] if found else None


def bar(
    connection: Connection, organization_id: str, token_ids: Collection[str], now: Moment
) -> int:
    """Mark ended rows, so that no undo revives them; return how many were not marked before."""
    done = connection.execute(
        with_ids(
            connection,
            "UPDATE token SET barred_at = :now WHERE organization_id = :organization"
            " AND token_id IN (SELECT value FROM {ids} i)"
            " AND barred_at IS NULL AND ended_at IS NOT NULL",
        ),
        {
            "organization": organization_id,
            "ids": ids_parameter(connection, token_ids),
            "now": now,
        },
    )
    return done.rowcount


def revived_since(
    connection: Connection, organization_id: str, token_ids: Collection[str]
) -> list[ChangedUser]:
    """Return the users whose token among `token_ids` was revived: it lives in another row now."""
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT m.name, m.username, n.state FROM token n JOIN member m"
            " ON m.organization_id = n.organization_id AND m.member_id = n.member_id"
            " WHERE n.organization_id = :organization"
            " AND n.revives IN (SELECT value FROM {ids} i) AND n.ended_at IS NULL",
        ),
        {"organization": organization_id, "ids": ids_parameter(connection, token_ids)},
    )
    return [ChangedUser(r.name, r.username, Holding.NOTHING, Holding(r.state)) for r in rows]
