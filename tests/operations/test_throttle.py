"""Guessing made slow: counted by address and hour."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.domain.clock import HOUR, MINUTE, SECOND
from lib.domain.guessing import Guess
from lib.operations import throttle as module
from lib.operations.throttle import Throttle
from tests.facts import NOW
from tests.operations.acting import Moving, select

LEFT = -(-(HOUR - NOW % HOUR) // SECOND)


@pytest.fixture
def clock() -> Moving:
    """A clock that the test moves."""
    return Moving()


@pytest.fixture
def throttle(engine, clock) -> Throttle:
    """A throttle that has seen nothing."""
    return Throttle(engine, clock)


def fail(throttle: Throttle, times: int, address: str = "a", guess: Guess = Guess.TOKEN) -> None:
    """Be wrong so many times."""
    for _ in range(times):
        throttle.failed(guess, address)


class TestThrottle:
    """How often, for whom, and until when."""

    @pytest.mark.parametrize(("guess", "most"), [(Guess.CREDENTIALS, 100), (Guess.TOKEN, 1_000)])
    def test_so_many_an_hour(self, throttle, guess, most):
        """The last of them is still heard; then it is a matter of waiting."""
        fail(throttle, most - 1, guess=guess)
        assert throttle.seconds_to_wait(guess, "a") == 0
        fail(throttle, 1, guess=guess)
        assert throttle.seconds_to_wait(guess, "a") == LEFT

    def test_an_hour_later(self, throttle, clock):
        """The wait gets shorter, and is over."""
        fail(throttle, 100, guess=Guess.CREDENTIALS)
        clock.at += MINUTE
        assert throttle.seconds_to_wait(Guess.CREDENTIALS, "a") == LEFT - 60
        clock.at = NOW - NOW % HOUR + HOUR - 1
        assert throttle.seconds_to_wait(Guess.CREDENTIALS, "a") == 1
        clock.at += 1
        assert throttle.seconds_to_wait(Guess.CREDENTIALS, "a") == 0

    def test_each_for_themselves(self, throttle):
        """Another address, and another kind of guess."""
        fail(throttle, 100, guess=Guess.CREDENTIALS)
        assert throttle.seconds_to_wait(Guess.CREDENTIALS, "b") == 0
        assert throttle.seconds_to_wait(Guess.TOKEN, "a") == 0

    def test_many_threads(self, throttle):
        """None is lost."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: fail(throttle, 10, guess=Guess.CREDENTIALS), range(10)))
        assert throttle.seconds_to_wait(Guess.CREDENTIALS, "a") == LEFT

    def test_addresses_without_end(self, throttle, monkeypatch):
        """Those that were quiet longest are forgotten; memory has a limit."""
        monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)
        for number in range(5):
            fail(throttle, 1, str(number))
            fail(throttle, 1, "busy")
        assert len(throttle._failed) == 3
        assert throttle._failed[module._key(Guess.TOKEN, "busy", NOW)] == 5


class TestReplicas:
    """On PostgreSQL they count together; on SQLite each for itself."""

    def test_together(self, engine, clock):
        """A replica learns of what others have seen with the first failure that it sees."""
        first, second = Throttle(engine, clock), Throttle(engine, clock)
        fail(first, 99, guess=Guess.CREDENTIALS)
        fail(second, 1, guess=Guess.CREDENTIALS)
        shared = engine.dialect.name == "postgresql"
        assert second.seconds_to_wait(Guess.CREDENTIALS, "a") == (LEFT if shared else 0)
        rows = select(engine, "SELECT kind, address, attempts FROM failed_attempt")
        assert rows == ([("credentials", "a", 100)] if shared else [])

    def test_hours_that_are_over_go(self, engine, clock):
        """With the first failure of the next."""
        throttle = Throttle(engine, clock)
        fail(throttle, 2)
        clock.at += HOUR
        fail(throttle, 2)
        shared = engine.dialect.name == "postgresql"
        rows = select(engine, "SELECT hour, attempts FROM failed_attempt")
        assert rows == ([(clock.at // HOUR, 2)] if shared else [])

    def test_at_once(self, engine, clock):
        """From eight threads of each."""
        replicas = [Throttle(engine, clock) for _ in range(2)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: fail(replicas[n % 2], 5), range(20)))
        if engine.dialect.name == "postgresql":
            assert select(engine, "SELECT attempts FROM failed_attempt") == [(100,)]
