"""Writes that follow the use of tokens: the first use accepts, and the last use is stored."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from lib.domain.clock import Moment, minute_of
from lib.domain.lifecycle import Change
from lib.store.bulk import ids_parameter, with_ids
from lib.store.columns import unexpired

_PENDING = (
    "SELECT p.{0} FROM token p WHERE p.organization_id = :organization"
    " AND p.service_id = :service AND p.state = 'pending' AND p.digest IS NOT NULL"
    f" AND {unexpired('p')}"
    " AND p.token_id IN (SELECT value FROM {{ids}} i)"
)


def members_with_pending(
    connection: Connection,
    organization_id: str,
    service_id: str,
    token_ids: Iterable[str],
    now: Moment,
) -> dict[str, str]:
    """Return the usernames by member id of those whose pending token is in `token_ids`."""
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT m.member_id, m.username FROM member m WHERE m.organization_id = :organization"
            f" AND m.member_id IN ({_PENDING.format('member_id')}) ORDER BY m.member_id",
        ),
        _parameters(connection, organization_id, service_id, token_ids, now),
    )
    return {row.member_id: row.username for row in rows}


def accept_used(
    connection: Connection,
    organization_id: str,
    service_id: str,
    token_ids: Iterable[str],
    change: Change,
    now: Moment,
) -> None:
    """Turn the pending tokens among `token_ids` into accepted ones, last used in this minute.

    The caller has locked the organization and service, and has closed expired rows. `change` gives
    the new states of the pending token and of an accepted token of the same member.
    """
    becomes = {"replaced": change.accepted_becomes, "accepted": change.pending_becomes}
    parameters = _parameters(connection, organization_id, service_id, token_ids, now)
    parameters |= {"minute": minute_of(now)}
    parameters |= {name: state.value for name, state in becomes.items() if state}
    for assignment, state, column in (
        ("state = :replaced, ended_from = 'accepted', ended_at = :now", "accepted", "member_id"),
        ("state = :accepted, accepted_at = :now, last_used_at = :minute", "pending", "token_id"),
    ):
        connection.execute(
            with_ids(
                connection,
                f"UPDATE token SET {assignment} WHERE organization_id = :organization"
                f" AND service_id = :service AND state = '{state}'"
                f" AND {column} IN ({_PENDING.format(column)})",
            ),
            parameters,
        )


def note_last_used(
    connection: Connection, organization_id: str, token_ids: Iterable[str], at: Moment
) -> None:
    """Set the last use of tokens to `at`, unless a later use is stored.

    Locks the subscriptions of the organization first, as every bulk action locks its own. Without
    that two writers of the same rows in different orders could deadlock.
    """
    organization = {"organization": organization_id}
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "SELECT 1 FROM subscription WHERE organization_id = :organization"
                " ORDER BY service_id FOR NO KEY UPDATE"
            ),
            organization,
        )
    connection.execute(
        with_ids(
            connection,
            "UPDATE token SET last_used_at = :at WHERE organization_id = :organization"
            " AND token_id IN (SELECT value FROM {ids} i)"
            " AND (last_used_at IS NULL OR last_used_at < :at)",
        ),
        organization | {"at": at, "ids": ids_parameter(connection, token_ids)},
    )


def _parameters(
    connection: Connection,
    organization_id: str,
    service_id: str,
    token_ids: Iterable[str],
    now: Moment,
) -> dict[str, object]:
    return {
        "organization": organization_id,
        "service": service_id,
        "now": now,
        "ids": ids_parameter(connection, token_ids),
    }
