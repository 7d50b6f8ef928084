"""What the use of tokens leaves: the first accepts, the last is remembered."""

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
from tests.support.actions import Moving, act, change, exported, give, select
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, ORG, SERVICE, build, unit_of_work

MINUTE_OF_NOW = NOW - NOW % MINUTE


@pytest.fixture
def clock() -> Moving:
    """A clock that the test moves."""
    return Moving()


@pytest.fixture
def verifier(engine, clock):
    """A verifier that writes only when it is told to."""
    verifier = TokenVerifier(unit_of_work(engine, clock), MINTING)
    yield verifier
    verifier.close()


def states(engine) -> list[tuple[str, str | None]]:
    """State and the state it ended from, of every row, sorted."""
    return sorted(select(engine, "SELECT state, ended_from FROM token"), key=str)


def first_uses(engine) -> list[tuple]:
    """The events of first uses."""
    return select(
        engine,
        "SELECT actor, address, organization_id, service_id, subject, users FROM audit_event"
        " WHERE action = 'first-use' ORDER BY event_id",
    )


class TestFirstUse:
    """It accepts the token that was used, and no other."""

    def test_pending_becomes_accepted(self, verifier, engine, clock):
        """With its event, the moment, and a raised revision."""
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

    def test_one_beside_another_that_is_accepted_already(self, verifier, engine):
        """As where two processes noted it: the event names the one that it is about."""
        first, second, *_ = build(engine)
        tokens = [give(engine, member, Holding.PENDING)[0] for member in (first, second)]
        assert all(map(verifier.check, tokens))
        change(engine, "UPDATE token SET state = 'accepted', accepted_at = created_at"
               " WHERE member_id = :member", member=first)  # fmt: skip
        verifier.uses.flush()
        assert first_uses(engine) == [("", "first use", ORG, SERVICE, "utcjf1-u1", 1)]

    def test_of_many_at_once(self, verifier, engine):
        """One event a batch, with how many and a digest of who; each row is accepted once."""
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

    def test_in_several_places(self, verifier, engine):
        """An event in each organization's chain."""
        for organization_id in ("UTCJF1", "NVCLK2"):
            (member, *_) = build(engine, 1, organization_id=organization_id)
            (token,) = give(engine, member, Holding.PENDING, organization_id=organization_id)
            assert verifier.check(token)
        verifier.uses.flush()
        assert sorted(event[2] for event in first_uses(engine)) == ["NVCLK2", "UTCJF1"]

    @pytest.mark.parametrize("used", ["pending", "accepted"])
    def test_beside_an_accepted_token(self, verifier, engine, used):
        """As the lifecycle's accept; using the old one accepts nothing."""
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

    def test_an_expired_one_beside_it_is_expired(self, verifier, engine, clock):
        """What lapsed is closed as such before anything else changes."""
        (member, *_) = build(engine)
        pending, _ = give(engine, member, Holding.BOTH)
        change(
            engine, "UPDATE token SET expires_at = :at WHERE state = 'accepted'", at=NOW + SECOND
        )
        verifier.check(pending)
        clock.at += 2 * SECOND
        verifier.uses.flush()
        assert states(engine) == [("accepted", None), ("expired", "accepted")]

    def test_ended_meanwhile(self, verifier, engine):
        """Cancelled between the use and its writing: it stays cancelled, without an event."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier.check(token)
        act(engine, Action.CANCEL, [member])
        verifier.uses.flush()
        assert states(engine) == [("cancelled", "pending")]
        assert first_uses(engine) == []

    def test_a_request_is_accepted_by_nobody_else(self, verifier, engine):
        """It has no secret that could be used."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED)
        act(engine, Action.REQUEST, [member])
        verifier.check(token)
        verifier.uses.flush()
        assert states(engine) == [("accepted", None), ("pending", None)]

    def test_in_the_background(self, verifier, engine):
        """Within a second, without anybody asking for it."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier.uses.start()
        verifier.uses.start()
        verifier.check(token)
        wait_for(lambda: states(engine) == [("accepted", None)])
        assert sum(thread.name == "uses" for thread in threading.enumerate()) == 1

    def test_while_others_use_them(self, verifier, engine):
        """None is lost between the noting threads and the writing one."""
        ids = build(engine, 400)
        _, outcome = act(engine, Action.GENERATE, ids)
        verifier.uses.start()
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(verifier.check, exported(outcome)))
        verifier.uses.stop()
        assert select(engine, "SELECT count(*) FROM token WHERE state = 'accepted'") == [(400,)]
        assert sum(event[-1] for event in first_uses(engine)) == 400


def wait_for(condition, seconds: float = 10) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at the condition


class TestLastUse:
    """To the minute, in one statement a minute and organization."""

    def test_the_last_counts(self, verifier, engine, clock):
        """And an earlier one, from another process, changes nothing."""
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

    def test_many_uses_are_few_writes(self, verifier, engine, monkeypatch):
        """However often they are used."""
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

    def test_it_is_no_change(self, verifier, engine):
        """A plan that an administrator looks at stays as it is."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED)
        revision = select(engine, "SELECT revision FROM subscription")
        verifier.check(token)
        verifier.uses.flush()
        assert select(engine, "SELECT revision FROM subscription") == revision

    def test_on_stop(self, verifier, engine):
        """What is noted is written."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.ACCEPTED, expires_at=NOW + DAY)
        verifier.uses.start()
        verifier.check(token)
        verifier.close()
        assert select(engine, "SELECT last_used_at FROM token") == [(MINUTE_OF_NOW,)]


class TestLater:
    """What the database does not take now stays noted."""

    def test_a_busy_database(self, tmp_path, monkeypatch):
        """Again after a while, not in a loop; the checks go on."""
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

    def test_one_mistake_does_not_stop_the_others(self, verifier, engine, monkeypatch, caplog):
        """Even one of ours; the log names its kind, and no token."""
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

    def test_a_scope_that_is_gone(self, verifier, engine, monkeypatch):
        """Is forgotten."""
        (member, *_) = build(engine)
        (token,) = give(engine, member, Holding.PENDING)
        verifier.check(token)
        monkeypatch.setattr("lib.store.operation_queries.read_scope", lambda *_: None)
        assert verifier.uses.accept_first_uses()
