"""Reading the audit trail: in batches, in order, from anywhere on."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from lib.domain.audit import AuditKeyring, ChainHead, Event, EventAction, SealedEvent
from lib.domain.errors import AuditNotWrittenError
from lib.store import audit_queries
from lib.store.bulk import stream
from lib.store.engine import reading, writing
from tests.support.directory import MINTING, unit_of_work

SEAL = AuditKeyring.of(MINTING.peppers)
A, B = "UTCJF1", "UTTAN1"


def event(chain: str = A, **facts: object) -> Event:
    """Something that happened."""
    return Event(EventAction.REMOVE, "mhale", "192.0.2.7", chain)._replace(**facts)


@pytest.fixture
def trail(engine: Engine) -> Engine:
    """Five events in one chain, two in another."""
    with writing(engine) as connection:
        unit_of_work(engine).record(connection, *[event()] * 5, *[event(B)] * 2)
    return engine


class TestReads:
    """Chains, heads and events."""

    def test_chains_and_heads(self, trail):
        """By name; the head is the last event."""
        with reading(trail) as connection:
            assert audit_queries.chains(connection) == ([A, B], [])
            heads = audit_queries.heads(connection)
            assert {name: head.number for name, head in heads.items()} == {A: 5, B: 2}
            assert heads[A].mac == audit_queries.mac_of(connection, A, 5)
            assert audit_queries.mac_of(connection, A, 6) is None

    def test_a_walk(self, trail, monkeypatch):
        """In batches of what fits into memory, by number, all columns as they are."""
        monkeypatch.setattr(audit_queries, "_BATCH", 2)
        with reading(trail) as connection:
            batches = list(audit_queries.events_of_chain(connection, A))
            assert [[row[1] for row in batch] for batch in batches] == [[1, 2], [3, 4], [5]]
            rest = [
                row
                for batch in audit_queries.events_of_chain(connection, A, first=4)
                for row in batch
            ]
            assert [SealedEvent(*row).number for row in rest] == [4, 5]
            assert {type(row[-1]) for row in rest} == {bytes}

    def test_a_walk_that_is_left(self, trail, monkeypatch):
        """Another one can begin in the same transaction."""
        monkeypatch.setattr(audit_queries, "_BATCH", 2)
        with reading(trail) as connection:
            first = audit_queries.events_of_chain(connection, A)
            assert len(next(iter(first))) == 2
            first.close()
            assert sum(len(batch) for batch in audit_queries.events_of_chain(connection, A)) == 5

    def test_a_mistake_in_sql_is_told_as_such(self, engine):
        """As if SQLAlchemy had run it."""
        with reading(engine) as connection, pytest.raises(DBAPIError):
            list(stream(connection, "SELECT nothing FROM nowhere WHERE 1 = ?", (1,), 10))


class TestAppend:
    """Events onto their chains."""

    def test_goes_on_where_it_ended(self, trail):
        """Number after number."""
        with writing(trail) as connection:
            unit_of_work(trail).record(connection, event(B), event("NEW001"))
        with reading(trail) as connection:
            heads = audit_queries.heads(connection)
        assert {name: head.number for name, head in heads.items()} == {A: 5, B: 3, "NEW001": 1}

    def test_nothing_to_append(self, engine):
        """No chain comes of it."""
        with writing(engine) as connection:
            unit_of_work(engine).record(connection)
            assert audit_queries.chains(connection) == ([], [])

    @pytest.mark.parametrize("facts", [{"reason": "a\0b"}, {"actor": "\0"}])
    def test_a_nul_is_refused_on_either_engine(self, engine, facts):
        """It could not be told from the space between two columns."""
        with pytest.raises(AuditNotWrittenError), writing(engine) as connection:
            unit_of_work(engine).record(connection, event(**facts))
        with reading(engine) as connection:
            assert audit_queries.heads(connection) == {}

    def test_a_lock_makes_a_head(self, engine):
        """Before the first event as well."""
        with writing(engine) as connection:
            assert audit_queries.lock_head(connection, A) == ChainHead()
            assert audit_queries.heads(connection) == {A: ChainHead()}
