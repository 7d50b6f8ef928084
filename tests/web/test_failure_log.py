"""The log of failures: one line for each minute and address, with their number."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.domain.clock import MINUTE, SECOND, iso
from lib.web.failure_log import MOST_ADDRESSES, Failure, FailureLog
from tests.support.actions import MovableClock
from tests.support.database_facts import NOW
from tests.support.processes import wait_for

TOKEN, CREDENTIAL = Failure.TOKEN, Failure.CREDENTIAL


@pytest.fixture
def clock() -> MovableClock:
    """A clock that the test moves."""
    return MovableClock()


@pytest.fixture
def failures(clock):
    """An empty failure log."""
    failures = FailureLog(clock)
    yield failures
    failures.close()


def line(address: str, summary: str, since: int = NOW) -> str:
    """Return a log line in the expected form."""
    return f"Refused from {address} since {iso(since)}: {summary}"


class TestFailureLog:
    """What is written, and when."""

    def test_the_first_failure_of_an_address_is_written_at_once(self, failures, caplog):
        """Each address has its own line."""
        failures.note(TOKEN, "192.0.2.1")
        failures.note(CREDENTIAL, "192.0.2.2")
        assert caplog.messages == [
            line("192.0.2.1", "1 wrong token"),
            line("192.0.2.2", "1 wrong service credential"),
        ]

    def test_failures_of_the_next_minute_share_one_line(self, failures, clock, caplog):
        """With the number of each kind. A quiet address gets no line."""
        failures.note(TOKEN, "a")
        clock.at += 59 * SECOND
        for _ in range(2_500):
            failures.note(TOKEN, "a")
        failures.note(CREDENTIAL, "a")
        failures.write_due()
        assert len(caplog.messages) == 1
        clock.at += SECOND
        failures.write_due()
        assert caplog.messages[1:] == [line("a", "2,500 wrong tokens, 1 wrong service credential")]
        clock.at += MINUTE
        failures.write_due()
        assert len(caplog.messages) == 2
        failures.note(TOKEN, "a")
        assert caplog.messages[2:] == [line("a", "1 wrong token", clock.at)]

    def test_an_address_that_fails_on_has_one_line_a_minute(self, failures, clock, caplog):
        """However often `write_due` is called."""
        for _ in range(10 * 60):
            failures.note(TOKEN, "a")
            clock.at += SECOND
            failures.write_due()
        assert len(caplog.messages) == 11

    def test_addresses_beyond_a_thousand_share_a_line(self, failures, clock, caplog):
        """Log and memory are limited."""
        for number in range(5_000):
            failures.note(TOKEN, f"{number}")
        assert len(caplog.messages) == MOST_ADDRESSES + 1
        assert caplog.messages[-1] == line("other addresses", "1 wrong token")
        assert len(failures._unwritten) == MOST_ADDRESSES + 1
        clock.at += MINUTE
        failures.write_due()
        summary = line("other addresses", "3,999 wrong tokens")
        assert caplog.messages[MOST_ADDRESSES + 1 :] == [summary]
        assert list(failures._unwritten) == ["other addresses"]

    def test_close_writes_the_counted_failures(self, failures, caplog):
        """Once."""
        for _ in range(3):
            failures.note(TOKEN, "a")
        failures.close()
        failures.close()
        assert caplog.messages[1:] == [line("a", "2 wrong tokens")]

    def test_the_log_works_again_after_close(self, clock, caplog, monkeypatch):
        """With a new timer, for a server that starts again in the same process."""
        failures = FailureLog(clock)
        failures.note(TOKEN, "a")
        failures.close()
        monkeypatch.setattr("lib.web.failure_log._SECONDS", 0.01)
        failures.note(TOKEN, "a")
        failures.note(TOKEN, "a")
        clock.at += MINUTE
        wait_for(lambda: len(caplog.messages) == 3, 10)
        failures.close()

    def test_no_line_is_written_while_the_lock_is_held(self, failures, clock):
        """A slow log handler, or one that notes a failure itself, blocks no thread."""
        held: list[bool] = []

        class Noting(logging.Handler):
            """A log handler that records whether the lock is held."""

            def emit(self, _record: logging.LogRecord) -> None:
                """Record the state of the lock."""
                held.append(failures._lock.locked())

        handler = Noting()
        logging.getLogger("lib.web.failure_log").addHandler(handler)
        try:
            for address in ("a", "a", "b"):
                failures.note(TOKEN, address)
            clock.at += MINUTE
            failures.write_due()
            failures.note(TOKEN, "a")
            failures.close()
        finally:
            logging.getLogger("lib.web.failure_log").removeHandler(handler)
        assert held == [False] * 4

    def test_no_failure_of_many_threads_is_lost(self, failures, caplog):
        """All are counted."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: failures.note(TOKEN, "a"), range(1_000)))
        failures.close()
        assert caplog.messages[1:] == [line("a", "999 wrong tokens")]

    def test_a_timer_writes_the_lines_that_are_due(self, clock, caplog, monkeypatch):
        """Also without another failure."""
        monkeypatch.setattr("lib.web.failure_log._SECONDS", 0.01)
        failures = FailureLog(clock)
        failures.note(TOKEN, "a")
        failures.note(TOKEN, "a")
        clock.at += MINUTE
        wait_for(lambda: len(caplog.messages) == 2, 10)
        clock.at += MINUTE
        wait_for(lambda: failures._timer is None, 10)
        assert caplog.messages[1:] == [line("a", "1 wrong token")]
