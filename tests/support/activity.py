"""Events for tests of Activity, inserted quickly, with hashes that nobody verifies."""

import random
from collections.abc import Iterable

from sqlalchemy import Engine, text

from lib.domain.audit import NO_MAC, Event, SealedEvent
from lib.domain.ids import new_ids
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.engine import reading, writing
from tests.support.database_facts import NOW


def add_events(engine: Engine, events: Iterable[tuple[int, Event]]) -> list[SealedEvent]:
    """Insert `(moment, event)` in order of time. Return them as they are stored."""
    with reading(engine) as connection:
        ends = connection.execute(
            text("SELECT organization_id, max(number) FROM audit_event GROUP BY organization_id")
        )
        numbers = {row[0]: row[1] for row in ends}
    stored = []
    for moment, event in events:
        number = numbers[event.organization_id] = numbers.get(event.organization_id, 0) + 1
        stored.append(
            SealedEvent(
                event.organization_id,
                number,
                new_ids(1, moment)[0],
                moment,
                event.action.value,
                event.actor,
                event.address,
                event.service_id,
                event.operation_id,
                event.subject,
                event.users,
                event.users_digest,
                event.reason,
                event.detail,
                1,
                NO_MAC,
            )
        )
    with writing(engine) as connection:
        insert_many(connection, tables.audit_event, SealedEvent._fields, stored)
    return stored


def shuffled(count: int, seed: int, events: Iterable[Event]) -> list[tuple[int, Event]]:
    """Return `count` of `events`, in random order, a second apart."""
    draw = random.Random(seed)  # noqa: S311 - test data
    among = list(events)
    return [(NOW + 1_000 * n, draw.choice(among)) for n in range(count)]


def break_audit(engine: Engine) -> None:
    """Make the audit trail refuse every event from now on."""
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER audit_event_broken BEFORE INSERT ON audit_event"
                " BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
            return
        connection.exec_driver_sql(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'broken'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER audit_event_broken BEFORE INSERT ON audit_event"
            " FOR EACH ROW EXECUTE FUNCTION broken()"
        )
