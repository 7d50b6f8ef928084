"""Guessing made slow: failed attempts counted by hour and address.

On SQLite each process counts in its memory. On PostgreSQL replicas share the count: a failure asks
the database, so a replica learns of what others have seen with the first failure that it sees.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

from sqlalchemy import Engine

from lib.domain.clock import HOUR, SECOND, Clock, Moment
from lib.domain.guessing import Guess
from lib.store import attempt_queries
from lib.store.engine import writing

_MOST_REMEMBERED = 100_000  # addresses; beyond, those that came first are forgotten


class _Key(NamedTuple):
    kind: str
    address: str
    hour: int  # hours since 1970


class Throttle:
    """Failed attempts of this hour. Safe to use from several threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Count in memory, and in the database of `engine` where replicas share one."""
        self._shared = engine if engine.dialect.name == "postgresql" else None
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[_Key, int] = OrderedDict()
        self._spared: tuple[int, set[str]] = (0, set())

    def seconds_to_wait(self, guess: Guess, address: str) -> int:
        """Return after how many seconds `address` may try again; 0 when it may now."""
        now = self._clock()
        with self._lock:
            failed = self._failed.get(_key(guess, address, now), 0)
        return -(-(HOUR - now % HOUR) // SECOND) if failed >= guess.value else 0

    def spares(self, address: str) -> bool:
        """Tell whether one attempt of `address`, which must wait, is looked at: once a second.

        So that whoever guesses beside a service that this process has not met yet, after a restart
        or in another replica, does not shut it out.
        """
        second = self._clock() // SECOND
        with self._lock:
            if self._spared[0] != second:
                self._spared = (second, set())
            spared = self._spared[1]
            if address in spared or len(spared) >= _MOST_REMEMBERED:
                return False
            spared.add(address)
            return True

    def failed(self, guess: Guess, address: str) -> None:
        """Count one wrong attempt. Raises StoreUnavailable where the count is shared."""
        key = _key(guess, address, self._clock())
        with self._lock:
            attempts = self._failed.get(key, 0) + 1
            self._keep(key, attempts)
        if self._shared:
            with writing(self._shared) as connection:
                shared = attempt_queries.count(connection, *key)
            with self._lock:
                self._keep(key, max(attempts, shared))

    def _keep(self, key: _Key, attempts: int) -> None:
        self._failed[key] = attempts
        self._failed.move_to_end(key)
        while len(self._failed) > _MOST_REMEMBERED:
            self._failed.popitem(last=False)


def _key(guess: Guess, address: str, now: Moment) -> _Key:
    return _Key(guess.name.lower(), address, now // HOUR)
