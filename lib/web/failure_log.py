"""Log of wrong tokens and wrong service credentials: how many came from which address.

A line names an address, never the token or credential. Each address has at most one line a minute;
all addresses beyond the first 1,000 share one line.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from lib.domain.clock import MINUTE, SECOND, Clock, Moment, iso
from lib.domain.plural import counted

_log = logging.getLogger(__name__)

MOST_ADDRESSES = 1_000
_OTHERS = "other addresses"
_SECONDS = MINUTE / SECOND  # between two writes of the lines that are due


class Failure(Enum):
    """What was wrong. The value is the text in the log."""

    TOKEN = "wrong token"  # noqa: S105 - text for the log
    CREDENTIAL = "wrong service credential"


@dataclass(slots=True)
class _Unwritten:
    """Failures of one address since `since`, when its last line was written."""

    since: Moment
    counts: Counter[Failure] = field(default_factory=Counter)


class FailureLog:
    """Writes the first failure of an address at once, and counts those of the next minute.

    Safe to use from several threads. Lines are collected under the lock, but written without it,
    because a log handler may be slow.
    """

    def __init__(self, clock: Clock) -> None:
        """Start without failures. `clock` gives the time of the lines."""
        self._clock = clock
        self._lock = threading.Lock()
        self._unwritten: dict[str, _Unwritten] = {}
        self._timer: threading.Timer | None = None

    def note(self, failure: Failure, address: str) -> None:
        """Write or count one failure of `address`."""
        with self._lock:
            if address not in self._unwritten and len(self._unwritten) >= MOST_ADDRESSES:
                address = _OTHERS
            if known := self._unwritten.get(address):
                known.counts[failure] += 1
                return
            now = self._clock()
            self._unwritten[address] = _Unwritten(now)
            self._start_timer()
        _write(address, _Unwritten(now, Counter([failure])))

    def write_due(self) -> None:
        """Write a line for each address whose last line is a minute old.

        Addresses without a failure since then are forgotten.
        """
        with self._lock:
            self._timer = None
            now = self._clock()
            due = {a: known for a, known in self._unwritten.items() if now - known.since >= MINUTE}
            for address, known in due.items():
                del self._unwritten[address]
                if known.counts:
                    self._unwritten[address] = _Unwritten(now)
            self._start_timer()
        _write_all(due)

    def close(self) -> None:
        """Stop the timer, and write all counted failures."""
        with self._lock:
            if self._timer:
                self._timer.cancel()
                self._timer = None
            remaining, self._unwritten = self._unwritten, {}
        _write_all(remaining)

    def _start_timer(self) -> None:
        """Call `write_due` in a minute, unless no address is remembered."""
        if self._unwritten and self._timer is None:
            self._timer = threading.Timer(_SECONDS, self.write_due)
            self._timer.daemon = True
            self._timer.start()


def _write_all(unwritten: Mapping[str, _Unwritten]) -> None:
    for address, known in unwritten.items():
        if known.counts:
            _write(address, known)


def _write(address: str, known: _Unwritten) -> None:
    counts = known.counts
    summary = ", ".join(counted(counts[each], each.value) for each in Failure if counts[each])
    _log.warning("Refused from %s since %s: %s", address, iso(known.since), summary)
