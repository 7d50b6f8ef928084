"""Check values of the numbered keys: which key each number stood for when it was first used."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from lib.domain.audit import NO_MAC, AuditKeyring, SealedEvent
from lib.domain.audit_verification import fits

_EVENTS_TRIED = 20  # of each key: one event that somebody changed must not decide

#: The first events of a key, each with the hash of its predecessor.
_SEALED_BY = text(
    f"SELECT {', '.join(f'e.{name}' for name in SealedEvent._fields)}, before.mac AS mac_before"
    " FROM audit_event e LEFT JOIN audit_event before"
    " ON before.organization_id = e.organization_id AND before.number = e.number - 1"
    " WHERE e.key_number = :number ORDER BY e.event_id LIMIT :most"
)


def known(connection: Connection) -> dict[int, bytes]:
    """Return the stored check values by number of the key."""
    rows = connection.execute(text("SELECT key_number, check_value FROM key_check"))
    return {number: bytes(value) for number, value in rows}


def add(connection: Connection, checks: Mapping[int, bytes]) -> None:
    """Store check values. A number that another process has stored meanwhile keeps its value."""
    connection.execute(
        text(
            "INSERT INTO key_check (key_number, check_value) VALUES (:number, :value)"
            " ON CONFLICT (key_number) DO NOTHING"
        ),
        [{"number": number, "value": value} for number, value in checks.items()],
    )


def unfitting(connection: Connection, keyring: AuditKeyring) -> set[int]:
    """Return the numbers of keys that fit none of the first events that name them.

    For a database that is older than the check values.
    """
    return {number for number in keyring.keys if _is_unfitting(connection, keyring, number)}


def _is_unfitting(connection: Connection, keyring: AuditKeyring, number: int) -> bool:
    values = {"number": number, "most": _EVENTS_TRIED}
    events = connection.execute(_SEALED_BY, values).all()
    return bool(events) and not any(
        fits(keyring, before or NO_MAC, tuple(event)) for *event, before in events
    )
