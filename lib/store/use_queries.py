"""What the use of tokens leaves: the first use accepts, the last is remembered."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.store.bulk import ids_parameter, with_ids


def accept_used(
    connection: Connection,
    organization_id: str,
    service_id: str,
    token_ids: Iterable[str],
    now: Moment,
) -> list[str]:
    """Turn the pending tokens among `token_ids` into accepted ones; return their members' ids.

    The caller holds the lock of the organization and service. A token that is still accepted
    beside one of them is replaced by it (the lifecycle: accept).
    """
    parameters = {
        "organization": organization_id,
        "service": service_id,
        "now": now,
        "ids": ids_parameter(connection, token_ids),
    }
    pending = (
        "FROM token p WHERE p.organization_id = :organization AND p.service_id = :service"
        " AND p.state = 'pending' AND p.digest IS NOT NULL"
        " AND (p.expires_at IS NULL OR p.expires_at > :now)"
        " AND p.token_id IN (SELECT value FROM {ids} i)"
    )
    members = connection.execute(
        with_ids(connection, f"SELECT p.member_id {pending} ORDER BY p.member_id"), parameters
    )
    accepting = [row[0] for row in members]
    connection.execute(
        with_ids(
            connection,
            "UPDATE token SET state = 'replaced', ended_from = 'accepted', ended_at = :now"
            " WHERE organization_id = :organization AND service_id = :service"
            f" AND state = 'accepted' AND member_id IN (SELECT p.member_id {pending})",
        ),
        parameters,
    )
    connection.execute(
        with_ids(
            connection,
            "UPDATE token SET state = 'accepted', accepted_at = :now"
            " WHERE organization_id = :organization AND service_id = :service"
            f" AND state = 'pending' AND token_id IN (SELECT p.token_id {pending})",
        ),
        parameters,
    )
    return accepting


def note_last_used(
    connection: Connection, organization_id: str, used: Mapping[str, Moment]
) -> None:
    """Keep when each token (by id) was last used; an earlier moment changes nothing."""
    connection.execute(
        text(
            "UPDATE token SET last_used_at = :at WHERE organization_id = :organization"
            " AND token_id = :token AND (last_used_at IS NULL OR last_used_at < :at)"
        ),
        [
            {"at": at, "organization": organization_id, "token": token_id}
            for token_id, at in used.items()
        ],
    )
