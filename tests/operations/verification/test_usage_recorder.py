"""Recording of token use: the first use accepts a token, the last use is stored."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from lib.domain.clock import DAY, MINUTE, SECOND
from lib.domain.lifecycle import LIFECYCLE
from lib.domain.states import Action, Holding, OwnStep
from lib.operations.verification import usage_recorder as module
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store import use_queries
from lib.store.engine import open_engine, writing
from lib.store.migrate import migrate
from tests.support.actions import MovableClock, act, change, exported, give, select
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, ORG, SERVICE, build, unit_of_work

MINUTE_OF_NOW = NOW - NOW % MINUTE


@pytest.fixture
def clock() -> MovableClock:
    """A clock that the test moves."""
    return MovableClock()


@pytest.fixture
def verifier(engine, clock):
    """A verifier whose recorder writes only when the test calls it."""
    verifier = TokenVerifier(unit_of_work(engine, clock), MINTING)
    yield verifier
    verifier.close()


def states(engine) -> list[tuple[str, str | None]]:
    """State and the state it ended from, of every row, sorted."""
    return sorted(select(engine, "SELECT state, ended_from FROM token"), key=str)


def first_uses(engine) -> list[tuple]:
    """Return the events of first uses."""
    return select(
        engine,
        "SELECT actor, address, organization_id, service_id, subject, users FROM audit_event"
        " WHERE action = 'first-use' ORDER BY event_id",
    )


class TestFirstUse:
    """The first use accepts exactly the token that was used."""

    def test_a_first_use_accepts_the_pending_token(self, verifier, engine, clock):
        """With an event and its time. The revision rises."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        revision = select(engine, "SELECT revision FROM subscription")[0][0]
        assert verifier.check(token)
        assert states(engine) == [("pending", None)], "a request costs no write"
        clock.at += SECOND
        verifier.uses.flush()
        assert states(engine) == [("accepted", None)]
        assert select(engine, "SELECT accepted_at, last_used_at FROM token") == [
            (NOW + SECOND, MINUTE_OF_NOW)
        ]
        assert select(engine, "SELECT revision FROM subscription") == [(revision + 1,)]
        assert first_uses(engine) == [("", "first use", ORG, SERVICE, "utcjf1-u0", 1)]

    def test_the_event_names_only_users_not_accepted_before(self, verifier, engine):
        """Two processes may note the same use."""
        first, second, *_ = build(engine)
        tokens = [give(engine, member, Holding.PENDING)[0] for member in (first, second)]
        assert all(map(verifier.check, tokens))
        change(engine, "UPDATE token SET state = 'accepted', accepted_at = created_at"
               " WHERE member_id = :member", member=first)  # fmt: skip
        verifier.uses.flush()
        assert first_uses(engine) == [("", "first use", ORG, SERVICE, "utcjf1-u1", 1)]

    def test_many_first_uses_share_one_event(self, verifier, engine):
        """With their number and a digest of the users. Each row is accepted once."""
        ids = build(engine, 300)
        _, outcome = act(engine, Action.GENERATE, ids)
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(verifier.check, exported(outcome) * 2))
        verifier.uses.flush()
        verifier.uses.flush()
        assert select(engine, "SELECT count(*) FROM token WHERE state = 'accepted'") == [(300,)]
        assert first_uses(engine) == [("", "first use", ORG, SERVICE, "", 300)]
        (digest,) = select(
            engine, "SELECT users_digest FROM audit_event WHERE action = 'first-use'"
        )[0]
        assert len(digest) == 32

    def test_each_organization_gets_its_own_event(self, verifier, engine):
        """In its own chain."""
        for organization_id in ("UTCJF1", "NVCLK2"):
            (member, *_) = build(engine, 1, organization_id=organization_id)
            (token,) = give(engine, member, Holding.PENDING, organization_id=organization_id)
            assert verifier.check(token)
        verifier.uses.flush()
        assert sorted(event[2] for event in first_uses(engine)) == ["NVCLK2", "UTCJF1"]

    @pytest.mark.parametrize("used", ["pending", "accepted"])
    def test_a_first_use_replaces_the_accepted_token(self, verifier, engine, used):
        """Use of the old one accepts nothing."""
        (member, *_) = build(engine)
        tokens = dict(zip(("pending", "accepted"), give(engine, member, Holding.BOTH), strict=True))
        verifier.check(tokens[used])
        verifier.uses.flush()
        change_ = LIFECYCLE[Holding.BOTH, OwnStep.ACCEPT]
        becomes = {
            "pending": [(change_.pending_becomes, None), (change_.accepted_becomes, "accepted")],
            "accepted": [("accepted", None), ("pending", None)],
        }
        assert states(engine) == becomes[used]
        assert len(first_uses(engine)) == (used == "pending")

    def test_a_first_use_closes_an_expired_token_first(self, verifier, engine, clock):
        """It ends as expired, not as replaced."""
        (member, *_) = build(engine)
        pending, _ = give(engine, member, Holding.BOTH)
        change(
            engine, "UPDATE token SET expires_at = :at WHERE state = 'accepted'", at=NOW + SECOND
        )
        verifier.check(pending)
        clock.at += 2 * SECOND
        verifier.uses.flush()
        assert states(engine) == [("accepted", None), ("expired", "accepted")]

    def test_a_token_cancelled_before_the_write_stays_cancelled(self, verifier, engine):
        """There is no event."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier.check(token)
        act(engine, Action.CANCEL, [member])
        verifier.uses.flush()
        assert states(engine) == [("cancelled", "pending")]
        assert first_uses(engine) == []

    def test_a_first_use_accepts_no_request(self, verifier, engine):
        """A request has no secret to use."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED)
        act(engine, Action.REQUEST, [member])
        verifier.check(token)
        verifier.uses.flush()
        assert states(engine) == [("accepted", None), ("pending", None)]

    def test_the_thread_accepts_within_a_second(self, verifier, engine):
        """Nobody calls it."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier.uses.start()
        verifier.uses.start()
        verifier.check(token)
        wait_for(lambda: states(engine) == [("accepted", None)])
        assert sum(thread.name == "uses" for thread in threading.enumerate()) == 1

    def test_no_first_use_is_lost_between_threads(self, verifier, engine):
        """Many note, one writes."""
        ids = build(engine, 400)
        _, outcome = act(engine, Action.GENERATE, ids)
        verifier.uses.start()
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(verifier.check, exported(outcome)))
        verifier.uses.stop()
        assert select(engine, "SELECT count(*) FROM token WHERE state = 'accepted'") == [(400,)]
        assert sum(event[-1] for event in first_uses(engine)) == 400


def wait_for(condition, seconds: float = 10) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at the condition


class TestLastUse:
    """Stored to the minute, one statement for each minute and organization."""

    def test_the_latest_use_is_stored(self, verifier, engine, clock):
        """An earlier one, from another process, changes nothing."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED)
        other = TokenVerifier(unit_of_work(engine), MINTING)
        other.check(token)
        clock.at += 5 * MINUTE
        verifier.check(token)
        verifier.uses.flush()
        other.uses.flush()
        assert select(engine, "SELECT last_used_at FROM token") == [(MINUTE_OF_NOW + 5 * MINUTE,)]
        other.close()

    def test_many_uses_take_few_statements(self, verifier, engine, monkeypatch):
        """However often the tokens are used."""
        ids = build(engine, 5)
        tokens = [give(engine, member, Holding.ACCEPTED)[0] for member in ids]
        written = []
        note = use_queries.note_last_used
        monkeypatch.setattr(
            use_queries, "note_last_used", lambda *what: written.append(what) or note(*what)
        )
        for _ in range(20):
            assert all(verifier.check(token) for token in tokens)
        verifier.uses.flush()
        verifier.uses.flush()
        assert len(written) == 1
        count = select(engine, "SELECT count(*) FROM token WHERE last_used_at IS NOT NULL")
        assert count == [(5,)]

    def test_a_last_use_does_not_outdate_a_plan(self, verifier, engine):
        """The plan can still be executed."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED)
        revision = select(engine, "SELECT revision FROM subscription")
        verifier.check(token)
        verifier.uses.flush()
        assert select(engine, "SELECT revision FROM subscription") == revision

    def test_stop_writes_what_is_noted(self, verifier, engine):
        """Nothing is lost."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED, expires_at=NOW + DAY)
        verifier.uses.start()
        verifier.check(token)
        verifier.close()
        assert select(engine, "SELECT last_used_at FROM token") == [(MINUTE_OF_NOW,)]


class TestRetry:
    """What the database refuses now stays noted."""

    def test_a_busy_database_is_tried_again_later(self, tmp_path, monkeypatch):
        """Not in a tight loop. Checks still work."""
        monkeypatch.setattr(module, "_RETRY_SECONDS", 0.2)
        engine = open_engine(f"sqlite:///{tmp_path / 'desk.db'}", busy_seconds=0.05)
        migrate(engine)
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        tries = []
        accept = verifier.uses._accept
        monkeypatch.setattr(
            verifier.uses, "_accept", lambda *what: tries.append(time.monotonic()) or accept(*what)
        )
        verifier.uses.start()
        with writing(engine):
            assert verifier.check(token)
            wait_for(lambda: len(tries) >= 3)
            assert verifier.check(token)
        wait_for(lambda: states(engine) == [("accepted", None)])
        assert min(b - a for a, b in pairwise(tries)) > 0.2
        verifier.close()
        assert select(engine, "SELECT last_used_at FROM token") == [(MINUTE_OF_NOW,)]
        engine.dispose()

    def test_an_error_at_one_place_does_not_stop_the_others(
        self, verifier, engine, monkeypatch, caplog
    ):
        """The log has its kind, and no token."""
        for organization_id in ("UTCJF1", "NVCLK2"):
            (member, *_) = build(engine, 1, organization_id=organization_id)
            (token,) = give(engine, member, Holding.PENDING, organization_id=organization_id)
            verifier.check(token)
        accept = verifier.uses._accept

        def fail(place, used):
            if place[0] == "NVCLK2":
                raise KeyError(place)
            accept(place, used)

        monkeypatch.setattr(verifier.uses, "_accept", fail)
        assert not verifier.uses.accept_first_uses()
        assert [event[2] for event in first_uses(engine)] == ["UTCJF1"]
        assert "KeyError" in caplog.text
        monkeypatch.undo()
        assert verifier.uses.accept_first_uses()
        assert sorted(event[2] for event in first_uses(engine)) == ["NVCLK2", "UTCJF1"]

    def test_first_uses_of_a_deleted_subscription_are_dropped(self, verifier, engine, monkeypatch):
        """There is nothing to accept."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier.check(token)
        monkeypatch.setattr("lib.store.operation_queries.read_scope", lambda *_: None)
        assert verifier.uses.accept_first_uses()
