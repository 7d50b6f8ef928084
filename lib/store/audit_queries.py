"""The audit trail: appended to, a chain at a time, and never changed."""

from collections.abc import Iterable
from itertools import groupby

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from lib.domain.audit import NO_MAC, Event, Head, Seal, SealedEvent
from lib.domain.clock import Moment
from lib.domain.errors import AuditUnwritten
from lib.domain.ids import new_ids
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.engine import store_fault


def append(connection: Connection, seal: Seal, now: Moment, events: Iterable[Event]) -> None:
    """Seal `events` onto the chains of their organizations, as part of the caller's transaction.

    Chains are locked in sorted order and until the transaction ends. Raises AuditUnwritten: no
    event, no effect.
    """
    ordered = sorted(events, key=lambda event: event.organization_id)
    try:
        for organization_id, group in groupby(ordered, key=lambda event: event.organization_id):
            _append_to_chain(connection, seal, now, organization_id, list(group))
    except DBAPIError as error:
        if store_fault(error):
            raise
        raise AuditUnwritten from None


def lock_head(connection: Connection, organization_id: str) -> Head:
    """Lock the end of a chain against other writers and return it."""
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
    return found or Head()


def _append_to_chain(
    connection: Connection, seal: Seal, now: Moment, organization_id: str, events: list[Event]
) -> None:
    head = lock_head(connection, organization_id)
    sealed = list(seal.chain(head, events, new_ids(len(events), now), now))
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


def _head(connection: Connection, organization_id: str) -> Head | None:
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    row = connection.execute(
        text(f"SELECT number, mac FROM audit_head WHERE organization_id = :organization{lock}"),
        {"organization": organization_id},
    ).one_or_none()
    return Head(row[0], bytes(row[1])) if row else None
