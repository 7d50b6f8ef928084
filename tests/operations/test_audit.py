"""Verification of the audit trail: tampering is found, and the first bad event is named."""

import random
import sys
import threading

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from lib.domain.audit import GLOBAL_CHAIN, AuditKeyring, ChainHead, Event, SealedEvent
from lib.domain.audit_verification import BadEvent, TamperingKind
from lib.domain.states import Action
from lib.operations.audit import anchor, verify, verify_within
from lib.store import audit_queries, key_check_queries
from lib.store.engine import writing
from tests.support.actions import change, select
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, clock, unit_of_work
from tests.support.tamper import KINDS, Tampering

SEAL = AuditKeyring.of(MINTING.peppers)
CHAINS = (GLOBAL_CHAIN, "UTCJF1", "UTTAN1")
LENGTHS = (90, 70, 40)


def event(chain: str, number: int = 0) -> Event:
    """Return an event number `number` of a chain."""
    return Event(
        Action.GENERATE,
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
    """The same without triggers, which the owner of the database can drop."""
    if trail.dialect.name == "sqlite":
        for what in ("update", "delete", "replace"):
            change(trail, f"DROP TRIGGER audit_event_no_{what}")
    else:
        change(trail, "DROP TRIGGER audit_event_no_change ON audit_event")
    return trail


def bad(engine: Engine, anchors: dict[str, list[ChainHead]] | None = None) -> list[tuple]:
    """Return the first bad event of each chain as (chain, number, kind)."""
    return [(b.chain, b.number, b.kind) for b in verify(engine, SEAL, anchors or {}).bad]


class TestWhole:
    """A trail without tampering."""

    def test_a_whole_trail_is_counted_by_events_and_chains(self, trail):
        """Every event belongs to its chain."""
        assert verify(trail, SEAL) == (sum(LENGTHS), len(CHAINS), ())

    def test_an_empty_trail_is_whole(self, engine):
        """It has no chain and no event."""
        assert verify(engine, SEAL) == (0, 0, ())

    def test_a_whole_trail_matches_its_anchors(self, trail):
        """Also an older one: the trail may have grown."""
        first = anchor(trail)
        with writing(trail) as connection:
            unit_of_work(trail).record(connection, event("UTCJF1", 70), event("NEW001"))
        second = anchor(trail)
        assert first["UTCJF1"].number == 70
        assert second["UTCJF1"].number == 71
        anchors = {chain: [first[chain], second[chain]] for chain in CHAINS}
        assert bad(trail, anchors) == []

    def test_a_head_without_events_is_whole(self, engine):
        """A refused change of grants leaves such a head."""
        with writing(engine) as connection:
            audit_queries.lock_head(connection, GLOBAL_CHAIN)
        assert verify(engine, SEAL) == (0, 1, ())

    def test_a_trail_with_two_keys_needs_both(self, trail):
        """After a new pepper, events of both keys are verified."""
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

    def test_another_key_under_a_known_number_is_told_from_a_change(self, trail):
        """The database knows its key by a check value; with the right key the change shows."""
        with writing(trail) as connection:
            key_check_queries.add(connection, SEAL.check_values)
        found = verify(trail, AuditKeyring.of({1: b"q" * 32})).bad
        assert {each.kind for each in found} == {TamperingKind.OTHER_KEY}
        assert {each.number for each in found} == {1}
        with writing(trail) as connection:
            key_check_queries.add(connection, {2: b"stands for another key" + bytes(10)})
        assert verify(trail, SEAL).bad == ()


class TestTampering:
    """By somebody who owns the database and has no key."""

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
    def test_forty_changes_of_each_kind_are_found(self, open_trail, kind):
        """The first bad event is the right one."""
        self._tamper(open_trail, kind, 40)

    @pytest.mark.soak
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
    def test_a_thousand_changes_of_each_kind_are_found(self, open_trail, kind):
        """The same with more tries."""
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

    def test_the_time_of_a_bad_event_is_reported_if_readable(self, open_trail):
        """As it is stored, even if the time is what was changed."""
        change(open_trail, "UPDATE audit_event SET users = 7 WHERE number = 9 AND users = 8")
        assert set(verify(open_trail, SEAL).bad) == {
            BadEvent(chain, 9, TamperingKind.CHANGED, NOW) for chain in CHAINS
        }

    def test_only_events_before_the_first_bad_one_are_counted(self, open_trail):
        """In each chain."""
        change(open_trail, "DELETE FROM audit_event WHERE organization_id = 'UTCJF1' AND number=5")
        assert verify(open_trail, SEAL).events == 90 + 4 + 40

    def test_a_changed_or_missing_head_is_found(self, open_trail):
        """Its number, its hash, or the whole row."""
        change(open_trail, "UPDATE audit_head SET number = 60 WHERE organization_id = 'UTCJF1'")
        change(open_trail, "UPDATE audit_head SET mac = :m WHERE organization_id = ''", m=b"1" * 32)
        change(open_trail, "DELETE FROM audit_head WHERE organization_id = 'UTTAN1'")
        assert bad(open_trail) == [
            (chain, length, TamperingKind.HEAD)
            for chain, length in zip(CHAINS, LENGTHS, strict=True)
        ]

    def test_a_chain_rewritten_with_the_key_differs_from_its_anchor(self, trail):
        """Only an anchor finds this."""
        anchors = {GLOBAL_CHAIN: [ChainHead(3, b"1" * 32), anchor(trail)[GLOBAL_CHAIN]]}
        assert bad(trail, anchors) == [(GLOBAL_CHAIN, 3, TamperingKind.ANCHOR)]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_bytes_that_are_no_text_make_their_event_bad(self, open_trail):
        """SQLite stores bytes that no encoding can read."""
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
    def test_a_value_of_another_type_makes_its_event_bad(self, open_trail, column, value):
        """SQLite stores a number in a text column and the other way round."""
        change(
            open_trail,
            f"UPDATE audit_event SET {column} = {value}"
            " WHERE organization_id = 'UTCJF1' AND number = 50",
        )
        assert bad(open_trail) == [("UTCJF1", 50, TamperingKind.CHANGED)]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_a_number_or_head_that_is_text_is_found(self, open_trail):
        """SQLite stores text in number columns."""
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
    def test_a_chain_whose_name_is_no_text_is_named_beside_the_others(
        self, open_trail, name, table
    ):
        """The other chains are still verified."""
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
    """Triggers refuse changes of stored events."""

    STATEMENTS = (
        "UPDATE audit_event SET reason = '' WHERE number = 1",
        "DELETE FROM audit_event WHERE number = 1",
        "DELETE FROM audit_event",
    )

    @pytest.mark.parametrize("statement", STATEMENTS)
    def test_update_and_delete_are_refused(self, trail, statement):
        """By triggers."""
        self.refused(trail, statement)

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_truncate_is_refused(self, trail):
        """SQLite has no TRUNCATE."""
        self.refused(trail, "TRUNCATE audit_event")

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_insert_or_replace_is_refused(self, trail):
        """In SQLite it deletes without the delete trigger."""
        columns = ", ".join(SealedEvent._fields)
        event = columns.replace("reason", "'another'")
        self.refused(
            trail,
            f"INSERT OR REPLACE INTO audit_event ({columns}) SELECT {event} FROM audit_event"
            " WHERE number = 1",
        )

    def refused(self, trail, statement):
        """Assert that a trigger refuses a statement, and that the trail is whole."""
        with pytest.raises(DBAPIError, match="audit_event only grows"):
            change(trail, statement)
        assert verify(trail, SEAL).events == sum(LENGTHS)


class TestAtOnce:
    """Several threads append to one chain."""

    def test_a_chain_stays_whole_when_eight_threads_append(self, engine):
        """Twenty transactions each, over two chains in either order."""
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

    def test_verify_during_appends_reads_one_moment(self, engine):
        """Heads and events agree."""
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

    def test_a_rolled_back_append_leaves_no_event_and_no_head(self, engine):
        """Both are in one transaction."""
        with writing(engine) as connection:
            unit_of_work(engine, clock).record(connection, event(GLOBAL_CHAIN))
            connection.rollback()
        assert select(engine, "SELECT count(*) FROM audit_event") == [(0,)]
        assert verify(engine, SEAL) == (0, 0, ())
