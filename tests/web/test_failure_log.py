"""Failures in the log: one line a minute and address, and how many there were."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.domain.clock import MINUTE, SECOND, iso
from lib.web.failure_log import MOST_ADDRESSES, Failure, FailureLog
from tests.support.actions import Moving
from tests.support.database_facts import NOW
from tests.support.processes import wait_for

TOKEN, CREDENTIAL = Failure.TOKEN, Failure.CREDENTIAL


@pytest.fixture
def clock() -> Moving:
    """A clock that the test moves."""
    return Moving()


@pytest.fixture
def failures(clock):
    """A log without failures."""
    failures = FailureLog(clock)
    yield failures
    failures.close()


def line(address: str, told: str, since: int = NOW) -> str:
    """Return a line as it is written."""
    return f"Refused from {address} since {iso(since)}: {told}"


class TestFailureLog:
    """What is written, and when."""

    def test_the_first_failure_of_an_address_is_written_at_once(self, failures, caplog):
        """Each address has a line of its own."""
        failures.note(TOKEN, "192.0.2.1")
        failures.note(CREDENTIAL, "192.0.2.2")
        assert caplog.messages == [
            line("192.0.2.1", "1 wrong token"),
            line("192.0.2.2", "1 wrong service credential"),
        ]

    def test_what_follows_within_a_minute_is_one_line(self, failures, clock, caplog):
        """With the number of each kind; then nothing, while the address is quiet."""
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

    def test_an_address_that_goes_on_has_a_line_a_minute(self, failures, clock, caplog):
        """However often it fails, and however often the log is looked through."""
        for _ in range(10 * 60):
            failures.note(TOKEN, "a")
            clock.at += SECOND
            failures.write_due()
        assert len(caplog.messages) == 11

    def test_addresses_beyond_a_thousand_share_a_line(self, failures, clock, caplog):
        """Neither the log nor the memory grows with them."""
        for number in range(5_000):
            failures.note(TOKEN, f"{number}")
        assert len(caplog.messages) == MOST_ADDRESSES + 1
        assert caplog.messages[-1] == line("other addresses", "1 wrong token")
        assert len(failures._unwritten) == MOST_ADDRESSES + 1
        clock.at += MINUTE
        failures.write_due()
        told = line("other addresses", "3,999 wrong tokens")
        assert caplog.messages[MOST_ADDRESSES + 1 :] == [told]
        assert list(failures._unwritten) == ["other addresses"]

    def test_the_end_of_the_process_writes_what_is_left(self, failures, caplog):
        """Once."""
        for _ in range(3):
            failures.note(TOKEN, "a")
        failures.close()
        failures.close()
        assert caplog.messages[1:] == [line("a", "2 wrong tokens")]

    def test_after_the_end_it_begins_anew(self, clock, caplog, monkeypatch):
        """With a timer of its own: a server that starts again in the same process goes on."""
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
        """A handler that is slow, or fails a check itself, stops no other thread."""
        held: list[bool] = []

        class Noting(logging.Handler):
            """Notes whether the lock is held when a line comes."""

            def emit(self, _record: logging.LogRecord) -> None:
                """Look at it."""
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

    def test_many_threads_lose_none(self, failures, caplog):
        """All are counted."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: failures.note(TOKEN, "a"), range(1_000)))
        failures.close()
        assert caplog.messages[1:] == [line("a", "999 wrong tokens")]

    def test_a_timer_writes_what_is_due(self, clock, caplog, monkeypatch):
        """Also when nobody fails any more."""
        monkeypatch.setattr("lib.web.failure_log._SECONDS", 0.01)
        failures = FailureLog(clock)
        failures.note(TOKEN, "a")
        failures.note(TOKEN, "a")
        clock.at += MINUTE
        wait_for(lambda: len(caplog.messages) == 2, 10)
        clock.at += MINUTE
        wait_for(lambda: failures._timer is None, 10)
        assert caplog.messages[1:] == [line("a", "1 wrong token")]
