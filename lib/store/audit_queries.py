"""The audit trail: events are appended to their chains, and never changed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from lib.domain.audit import NO_MAC, AuditKeyring, ChainHead, Event, SealedEvent
from lib.domain.clock import Moment
from lib.domain.errors import AuditNotWrittenError
from lib.domain.ids import new_ids
from lib.store import tables
from lib.store.bulk import insert_many, stream
from lib.store.engine import database_error_from

_BATCH = 1_000  # events in memory at once
_LOWEST = -(2**63)
_INVALID_HEAD = ChainHead(0, b"")  # matches no chain
#: The columns of SealedEvent, with texts as bytes, since tampering can leave text that is no UTF-8.
_UNDECODED = [
    f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"
    for name in SealedEvent._fields
]


def append(
    connection: Connection, keyring: AuditKeyring, now: Moment, events: Iterable[Event]
) -> None:
    """Append `events` to the chains of their organizations, in the caller's transaction.

    Locks the chains in sorted order until the transaction ends. Raises AuditNotWrittenError when
    the events cannot be written; the caller must not commit then.
    """
    ordered = sorted(events, key=lambda event: event.organization_id)
    try:
        for organization_id, group in groupby(ordered, key=lambda event: event.organization_id):
            _append_to_chain(connection, keyring, now, organization_id, list(group))
    except ValueError:
        raise AuditNotWrittenError from None
    except DBAPIError as error:
        if database_error_from(error):
            raise
        raise AuditNotWrittenError from None


def lock_head(connection: Connection, organization_id: str) -> ChainHead:
    """Lock a chain against other writers and return its end."""
    found = _head(connection, organization_id)
    if found is None:
        connection.execute(
            text(
                "INSERT INTO audit_head (organization_id, number, mac)"
                " VALUES (:organization, 0, :mac) ON CONFLICT DO NOTHING"
            ),
            {"organization": organization_id, "mac": NO_MAC},
        )
        found = _head(connection, organization_id)
    return found or ChainHead()


def chains(connection: Connection) -> tuple[list[str], list[bytes]]:
    """Return the names of all chains with a head or an event, and the names that are not UTF-8.

    SQLite stores values of any type in any column, so names are read as bytes.
    """
    names, foreign = [], []
    for name in _names(connection):
        try:
            names.append(name if isinstance(name, str) else name.decode())
        except UnicodeDecodeError:
            foreign.append(name)
    return sorted(set(names)), foreign


def _names(connection: Connection) -> list[Any]:
    read = "organization_id"
    if connection.dialect.name == "sqlite":
        # A blob is another value than a text of the same bytes, so it gets the first byte 0xff.
        read = (
            "CASE typeof(organization_id) WHEN 'text' THEN CAST(organization_id AS BLOB)"
            " ELSE CAST(x'ff' || CAST(organization_id AS BLOB) AS BLOB) END"
        )
    found = connection.execute(
        text(f"SELECT {read} FROM audit_head UNION SELECT DISTINCT {read} FROM audit_event")
    )
    return list(found.scalars())


def heads(connection: Connection) -> dict[str, ChainHead]:
    """Return the stored end of each chain by its name; an invalid end matches no chain."""
    sqlite = connection.dialect.name == "sqlite"
    name = "CAST(organization_id AS BLOB)" if sqlite else "organization_id"
    texts = "typeof(organization_id) = 'text'" if sqlite else "TRUE"
    found = connection.execute(
        text(f"SELECT {name}, number, mac FROM audit_head WHERE {texts} ORDER BY organization_id")
    )
    return {
        name if isinstance(name, str) else name.decode(errors="replace"): (
            ChainHead(number, mac)
            if isinstance(number, int) and isinstance(mac, bytes)
            else _INVALID_HEAD
        )
        for name, number, mac in found
    }


def events_of_chain(
    connection: Connection, chain: str, *, first: int = _LOWEST
) -> Iterator[Sequence[Any]]:
    """Yield the events of a chain from number `first` on, in batches of at most 1,000.

    Events are rows of SealedEvent's columns, as stored: after tampering a value can have any type.
    Only one batch is in memory at a time.
    """
    try:
        for batch in _batches(connection, chain, first, SealedEvent._fields):
            yield batch
            last = batch[-1][1]
            first = last + 1 if isinstance(last, int) else first
    except OperationalError as error:
        if "decode" not in str(error.orig):  # SQLite stores any bytes as text
            raise
        for batch in _batches(connection, chain, first, _UNDECODED):
            yield [(*(_decoded(value) for value in event[:-1]), event[-1]) for event in batch]


def _decoded(value: object) -> object:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _batches(
    connection: Connection, chain: str, first: int, columns: Sequence[str]
) -> Iterator[Sequence[Any]]:
    statement = (
        f"SELECT {', '.join(columns)} FROM audit_event"
        " WHERE organization_id = ? AND number >= ? ORDER BY number"
    )
    return stream(connection, statement, (chain, first), _BATCH)


def mac_of(connection: Connection, chain: str, number: int) -> bytes | None:
    """Return the stored hash of one event, or None if there is no such event."""
    found = connection.execute(
        text("SELECT mac FROM audit_event WHERE organization_id = :chain AND number = :number"),
        {"chain": chain, "number": number},
    )
    mac: bytes | None = found.scalar_one_or_none()
    return mac


def _append_to_chain(
    connection: Connection,
    keyring: AuditKeyring,
    now: Moment,
    organization_id: str,
    events: list[Event],
) -> None:
    head = lock_head(connection, organization_id)
    sealed = list(keyring.chain(head, events, new_ids(len(events), now), now))
    insert_many(connection, tables.audit_event, SealedEvent._fields, sealed)
    connection.execute(
        text(
            "UPDATE audit_head SET number = :number, mac = :mac"
            " WHERE organization_id = :organization"
        ),
        {
            "number": sealed[-1].number,
            "mac": sealed[-1].mac,
            "organization": organization_id,
        },
    )


def _head(connection: Connection, organization_id: str) -> ChainHead | None:
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    row = connection.execute(
        text(f"SELECT number, mac FROM audit_head WHERE organization_id = :organization{lock}"),
        {"organization": organization_id},
    ).one_or_none()
    return ChainHead(row[0], bytes(row[1])) if row else None
