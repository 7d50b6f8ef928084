"""Reads and appends of the audit trail."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from lib.domain.audit import AuditKeyring, ChainHead, Event, SealedEvent
from lib.domain.errors import AuditNotWrittenError
from lib.domain.states import Action
from lib.store import audit_queries
from lib.store.bulk import stream
from lib.store.engine import reading, writing
from tests.support.directory import MINTING, unit_of_work

SEAL = AuditKeyring.of(MINTING.peppers)
A, B = "UTCJF1", "UTTAN1"


def event(chain: str = A, **facts: object) -> Event:
    """Return an event of one organization."""
    return Event(Action.REMOVE, "mhale", "192.0.2.7", chain)._replace(**facts)


@pytest.fixture
def trail(engine: Engine) -> Engine:
    """Store five events in one chain and two in another."""
    with writing(engine) as connection:
        unit_of_work(engine).record(connection, *[event()] * 5, *[event(B)] * 2)
    return engine


class TestReads:
    """Reads of chains, heads and events."""

    def test_chains_and_heads(self, trail):
        """Chains are sorted by name, and a head has the last event's number and hash."""
        with reading(trail) as connection:
            assert audit_queries.chains(connection) == ([A, B], [])
            heads = audit_queries.heads(connection)
            assert {name: head.number for name, head in heads.items()} == {A: 5, B: 2}
            assert heads[A].mac == audit_queries.mac_of(connection, A, 5)
            assert audit_queries.mac_of(connection, A, 6) is None

    def test_events_come_in_batches(self, trail, monkeypatch):
        """Events come in batches, sorted by number, with all columns as stored."""
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

    def test_a_read_that_is_closed_early(self, trail, monkeypatch):
        """After one read is closed, another can begin in the same transaction."""
        monkeypatch.setattr(audit_queries, "_BATCH", 2)
        with reading(trail) as connection:
            first = audit_queries.events_of_chain(connection, A)
            assert len(next(iter(first))) == 2
            first.close()
            assert sum(len(batch) for batch in audit_queries.events_of_chain(connection, A)) == 5

    def test_a_mistake_in_sql_raises_sqlalchemys_error(self, engine):
        """A mistake in SQL raises the error that SQLAlchemy would raise."""
        with reading(engine) as connection, pytest.raises(DBAPIError):
            list(stream(connection, "SELECT nothing FROM nowhere WHERE 1 = ?", (1,), 10))


class TestAppend:
    """Appends to chains."""

    def test_goes_on_where_it_ended(self, trail):
        """Each event gets the next number of its chain."""
        with writing(trail) as connection:
            unit_of_work(trail).record(connection, event(B), event("NEW001"))
        with reading(trail) as connection:
            heads = audit_queries.heads(connection)
        assert {name: head.number for name, head in heads.items()} == {A: 5, B: 3, "NEW001": 1}

    def test_nothing_to_append(self, engine):
        """Appending no events creates no chain."""
        with writing(engine) as connection:
            unit_of_work(engine).record(connection)
            assert audit_queries.chains(connection) == ([], [])

    @pytest.mark.parametrize("facts", [{"reason": "a\0b"}, {"actor": "\0"}])
    def test_a_nul_is_refused_on_either_engine(self, engine, facts):
        """An event with a NUL is refused, since NUL separates the columns."""
        with pytest.raises(AuditNotWrittenError), writing(engine) as connection:
            unit_of_work(engine).record(connection, event(**facts))
        with reading(engine) as connection:
            assert audit_queries.heads(connection) == {}

    def test_a_lock_makes_a_head(self, engine):
        """The head of a new chain is locked as well."""
        with writing(engine) as connection:
            assert audit_queries.lock_head(connection, A) == ChainHead()
            assert audit_queries.heads(connection) == {A: ChainHead()}
