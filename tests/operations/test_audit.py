"""The audit trail on trial: who tampers with it is found, and the first bad event is named."""

import random
import sys
import threading

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from lib.domain.audit import GLOBAL_CHAIN, AuditKeyring, ChainHead, Event, EventAction, SealedEvent
from lib.domain.audit_verification import BadEvent, TamperingKind
from lib.operations.audit import anchor, verify, verify_within
from lib.store import audit_queries
from lib.store.engine import writing
from tests.support.actions import change, select
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, clock, unit_of_work
from tests.support.tamper import KINDS, Tampering

SEAL = AuditKeyring.of(MINTING.peppers)
CHAINS = (GLOBAL_CHAIN, "UTCJF1", "UTTAN1")
LENGTHS = (90, 70, 40)


def event(chain: str, number: int = 0) -> Event:
    """Something that happened."""
    return Event(
        EventAction.GENERATE,
        f"actor{number}",
        "192.0.2.7",
        chain,
        "erecording",
        operation_id=f"{number:032x}",
        subject=f"subject{number}",
        users=number,
        users_digest="d" * 32,
        reason=f"Ticket {number}",
        detail="UTCJF1.csv",
    )


@pytest.fixture
def trail(engine: Engine) -> Engine:
    """Two hundred events in three chains, a few in each transaction."""
    book = unit_of_work(engine)
    for turn in range(10):
        with writing(engine) as connection:
            for chain, length in zip(CHAINS, LENGTHS, strict=True):
                few = range(turn * length // 10, (turn + 1) * length // 10)
                book.record(connection, *(event(chain, number) for number in few))
    return engine


@pytest.fixture
def open_trail(trail: Engine) -> Engine:
    """The same, without the triggers: whoever owns the database can drop them."""
    if trail.dialect.name == "sqlite":
        for what in ("update", "delete", "replace"):
            change(trail, f"DROP TRIGGER audit_event_no_{what}")
    else:
        change(trail, "DROP TRIGGER audit_event_no_change ON audit_event")
    return trail


def bad(engine: Engine, anchors: dict[str, list[ChainHead]] | None = None) -> list[tuple]:
    """Return each chain's first bad event as (chain, number, what is wrong)."""
    return [(b.chain, b.number, b.kind) for b in verify(engine, SEAL, anchors or {}).bad]


class TestWhole:
    """Nobody has done anything to it."""

    def test_counts(self, trail):
        """Events and chains; every event belongs to its chain."""
        assert verify(trail, SEAL) == (sum(LENGTHS), len(CHAINS), ())

    def test_empty(self, engine):
        """No chain, no event, nothing wrong."""
        assert verify(engine, SEAL) == (0, 0, ())

    def test_with_its_anchor_and_an_earlier_one(self, trail):
        """It may have grown since."""
        first = anchor(trail)
        with writing(trail) as connection:
            unit_of_work(trail).record(connection, event("UTCJF1", 70), event("NEW001"))
        second = anchor(trail)
        assert first["UTCJF1"].number == 70
        assert second["UTCJF1"].number == 71
        anchors = {chain: [first[chain], second[chain]] for chain in CHAINS}
        assert bad(trail, anchors) == []

    def test_a_lock_that_was_never_used(self, engine):
        """A head without events, as a change of access that was refused leaves it."""
        with writing(engine) as connection:
            audit_queries.lock_head(connection, GLOBAL_CHAIN)
        assert verify(engine, SEAL) == (0, 1, ())

    def test_with_an_older_key_too(self, trail):
        """After a new pepper both keys are needed, and only then do all events fit."""
        both = AuditKeyring.of({**MINTING.peppers, 2: b"q" * 32})
        with writing(trail) as connection:
            audit_queries.append(connection, both, NOW, [event(GLOBAL_CHAIN, 90)])
        assert verify(trail, both).bad == ()
        assert verify(trail, SEAL).bad == (
            BadEvent(GLOBAL_CHAIN, 91, TamperingKind.UNKNOWN_KEY, NOW),
        )
        assert (
            verify(trail, AuditKeyring.of({2: b"q" * 32})).bad[0].kind is TamperingKind.UNKNOWN_KEY
        )


class TestTampering:
    """By somebody who owns the database and has no key."""

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
    def test_all_are_found(self, open_trail, kind):
        """Forty of each, and the first bad event is the right one."""
        self._tamper(open_trail, kind, 40)

    @pytest.mark.soak
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
    def test_a_thousand_are_found(self, open_trail, kind):
        """The same, longer."""
        self._tamper(open_trail, kind, 1_000)

    def _tamper(self, engine: Engine, kind, times: int) -> None:
        chance = random.Random(kind.__name__)  # noqa: S311 - the same every time
        chains = anchor(engine)
        anchors = {chain: [head] for chain, head in chains.items()}
        unseen = 0
        for _ in range(times):
            with engine.connect() as connection:
                done = Tampering(connection, chance, chains)
                kind(done)
                found = verify_within(connection, SEAL, anchors).bad
                assert [(b.chain, b.number, b.kind) for b in found] == sorted(done.expected)
                if done.anchored:
                    assert verify_within(connection, SEAL).bad == ()
                    unseen += 1
                connection.rollback()
        sys.stdout.write(
            f"\n{engine.dialect.name}: {kind.__name__}: {times:,} of {times:,} found and named"
            + (f", {unseen:,} of them by the anchor alone" if unseen else "")
        )
        assert verify(engine, SEAL, anchors).bad == ()

    def test_time_is_told_where_it_can_be_read(self, open_trail):
        """As stored, even when that is what was changed."""
        change(open_trail, "UPDATE audit_event SET users = 7 WHERE number = 9 AND users = 8")
        assert set(verify(open_trail, SEAL).bad) == {
            BadEvent(chain, 9, TamperingKind.CHANGED, NOW) for chain in CHAINS
        }

    def test_the_events_that_fit_are_counted(self, open_trail):
        """Up to the first bad one of each chain."""
        change(open_trail, "DELETE FROM audit_event WHERE organization_id = 'UTCJF1' AND number=5")
        assert verify(open_trail, SEAL).events == 90 + 4 + 40

    def test_a_head_that_says_something_else(self, open_trail):
        """Number or hash; without a head as well."""
        change(open_trail, "UPDATE audit_head SET number = 60 WHERE organization_id = 'UTCJF1'")
        change(open_trail, "UPDATE audit_head SET mac = :m WHERE organization_id = ''", m=b"1" * 32)
        change(open_trail, "DELETE FROM audit_head WHERE organization_id = 'UTTAN1'")
        assert bad(open_trail) == [
            (chain, length, TamperingKind.HEAD)
            for chain, length in zip(CHAINS, LENGTHS, strict=True)
        ]

    def test_a_chain_that_is_not_the_one_of_the_anchor(self, trail):
        """Sealed with the key, by somebody who has that too."""
        anchors = {GLOBAL_CHAIN: [ChainHead(3, b"1" * 32), anchor(trail)[GLOBAL_CHAIN]]}
        assert bad(trail, anchors) == [(GLOBAL_CHAIN, 3, TamperingKind.ANCHOR)]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_bytes_that_are_no_text(self, open_trail):
        """SQLite keeps what no encoding can read; it is the event that is named."""
        change(
            open_trail,
            "UPDATE audit_event SET reason = CAST(x'ff' AS TEXT)"
            " WHERE organization_id = 'UTCJF1' AND number = 50",
        )
        assert bad(open_trail) == [("UTCJF1", 50, TamperingKind.CHANGED)]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize(
        ("column", "value"),
        [("reason", "x'58'"), ("users", "1.5"), ("users", "'many'"), ("mac", "'text'")],
    )
    def test_values_of_another_kind(self, open_trail, column, value):
        """SQLite takes a number for a text and the other way round."""
        change(
            open_trail,
            f"UPDATE audit_event SET {column} = {value}"
            " WHERE organization_id = 'UTCJF1' AND number = 50",
        )
        assert bad(open_trail) == [("UTCJF1", 50, TamperingKind.CHANGED)]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_a_number_and_a_head_that_are_none(self, open_trail):
        """Text where numbers should be, in SQLite."""
        change(
            open_trail,
            "UPDATE audit_event SET number = 'last'"
            " WHERE organization_id = 'UTCJF1' AND number = 50",
        )
        change(open_trail, "UPDATE audit_head SET number = 'x' WHERE organization_id = 'UTTAN1'")
        assert bad(open_trail) == [
            ("UTCJF1", 50, TamperingKind.MISSING),
            ("UTTAN1", 40, TamperingKind.HEAD),
        ]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("name", ["x'58'", "CAST(x'ff' AS TEXT)", "CAST(x'58ff' AS BLOB)"])
    @pytest.mark.parametrize("table", ["audit_event", "audit_head"])
    def test_a_chain_whose_name_is_no_text(self, open_trail, name, table):
        """It is named, and the others are walked all the same."""
        columns = {"audit_event": SealedEvent._fields, "audit_head": ("number", "mac")}[table]
        named = ("organization_id", *(c for c in columns if c != "organization_id"))
        values = ", ".join(named[1:])
        change(
            open_trail,
            f"INSERT INTO {table} ({', '.join(named)}) SELECT {name}, {values} FROM {table}"
            " WHERE organization_id = 'UTCJF1' LIMIT 1",
        )
        change(open_trail, "DELETE FROM audit_event WHERE organization_id = '' AND number = 1")
        foreign, missing = bad(open_trail)
        assert foreign[1:] == (1, TamperingKind.EXTRA)
        assert missing == (GLOBAL_CHAIN, 1, TamperingKind.MISSING)


class TestAppendOnly:
    """Triggers refuse what nobody should do, before anybody has to find it."""

    STATEMENTS = (
        "UPDATE audit_event SET reason = '' WHERE number = 1",
        "DELETE FROM audit_event WHERE number = 1",
        "DELETE FROM audit_event",
    )

    @pytest.mark.parametrize("statement", STATEMENTS)
    def test_it_only_grows(self, trail, statement):
        """UPDATE and DELETE."""
        self.refused(trail, statement)

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_it_is_not_emptied(self, trail):
        """TRUNCATE, which SQLite does not have."""
        self.refused(trail, "TRUNCATE audit_event")

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_nothing_is_replaced(self, trail):
        """INSERT OR REPLACE deletes without a trigger, in SQLite."""
        columns = ", ".join(SealedEvent._fields)
        event = columns.replace("reason", "'another'")
        self.refused(
            trail,
            f"INSERT OR REPLACE INTO audit_event ({columns}) SELECT {event} FROM audit_event"
            " WHERE number = 1",
        )

    def refused(self, trail, statement):
        """Expect that a statement is refused by a trigger, and that the trail is whole."""
        with pytest.raises(DBAPIError, match="audit_event only grows"):
            change(trail, statement)
        assert verify(trail, SEAL).events == sum(LENGTHS)


class TestAtOnce:
    """Many append to one chain."""

    def test_the_chain_stays_whole(self, engine):
        """Eight threads with twenty transactions each, over two chains in either order."""
        start, errors = threading.Barrier(8), []

        def write(turn: int) -> None:
            start.wait(30)
            try:
                for number in range(20):
                    chains = (
                        (GLOBAL_CHAIN, "UTCJF1")
                        if (turn + number) % 2
                        else ("UTCJF1", GLOBAL_CHAIN)
                    )
                    with writing(engine) as connection:
                        unit_of_work(engine).record(connection, *(event(c, number) for c in chains))
            except Exception as error:  # noqa: BLE001 - the test tells it
                errors.append(error)

        threads = [threading.Thread(target=write, args=(turn,)) for turn in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert verify(engine, SEAL) == (320, 2, ())

    def test_verifying_while_it_grows(self, engine):
        """What is read is one moment: heads and events agree."""
        stop = threading.Event()

        def grow() -> None:
            for number in range(200):
                if stop.is_set():
                    return
                with writing(engine) as connection:
                    unit_of_work(engine).record(connection, event(GLOBAL_CHAIN, number))

        writer = threading.Thread(target=grow)
        writer.start()
        verdicts = [verify(engine, SEAL) for _ in range(20)]
        stop.set()
        writer.join(30)
        assert [v.bad for v in verdicts] == [()] * 20

    def test_what_is_not_committed_is_not_there(self, engine):
        """Neither the event nor the head."""
        with writing(engine) as connection:
            unit_of_work(engine, clock).record(connection, event(GLOBAL_CHAIN))
            connection.rollback()
        assert select(engine, "SELECT count(*) FROM audit_event") == [(0,)]
        assert verify(engine, SEAL) == (0, 0, ())
