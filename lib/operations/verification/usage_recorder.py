"""Recording of token use: noted in memory at each request, written to the database in batches.

A request costs no write. The first use of an exported token accepts it within a second. The time
of the last use is written once a minute, and when the process stops; a killed process loses a
minute of it at most. A first use that was lost this way is noted again at the token's next use.
"""

import hashlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import cast

from sqlalchemy import Connection

from lib.domain.audit import Event, EventAction
from lib.domain.clock import Moment, minute_of
from lib.domain.errors import DeskError
from lib.domain.lifecycle import LIFECYCLE, Change
from lib.domain.states import Holding, OwnStep, TokenState
from lib.domain.tokens import FoundToken
from lib.operations.unit_of_work import UnitOfWork
from lib.store import operation_queries, token_queries, use_queries
from lib.store.engine import writing

_log = logging.getLogger(__name__)

FIRST_USE_SECONDS = 0.25
LAST_USE_SECONDS = 60.0
_RETRY_SECONDS = 1.0
_BATCH_SIZE = 1_000  # last uses in one transaction, so that no other writer waits long for it
_STOP_SECONDS = 10.0
_ADDRESS = "first use"

_ACCEPT = cast("Change", LIFECYCLE[Holding.BOTH, OwnStep.ACCEPT])


class UsageRecorder:
    """Notes uses of tokens and writes them. Safe to use from several threads."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        """Write to the database of `unit_of_work`."""
        self._unit_of_work = unit_of_work
        self._lock = threading.Lock()
        #: Ids of tokens to accept, by organization and service.
        self._first: dict[tuple[str, str], set[str]] = defaultdict(set)
        #: Time of the last use, by organization and token.
        self._last: dict[tuple[str, str], Moment] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def has(self, token: FoundToken, now: Moment) -> bool:
        """Tell whether this use is noted already: an accepted token, and the same minute."""
        last = self._last.get((token.organization_id, token.token_id))
        return token.state != TokenState.PENDING and last == minute_of(now)

    def note(self, token: FoundToken, now: Moment) -> None:
        """Note that `token` was used at `now`, rounded down to the minute."""
        with self._lock:
            self._last[token.organization_id, token.token_id] = minute_of(now)
            if token.state == TokenState.PENDING:
                place = (token.organization_id, token.service_id)
                self._first[place].add(token.token_id)
                self._wake.set()

    def start(self) -> None:
        """Start the thread that writes. A second call does nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="uses", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and write what is noted."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=_STOP_SECONDS)
        self.flush()

    def flush(self) -> None:
        """Write everything that is noted. What the database refuses now stays noted."""
        self.accept_first_uses()
        self.write_last_uses()

    def accept_first_uses(self) -> bool:
        """Accept the tokens that were used for the first time.

        Each organization and service gets one transaction and one event. Returns False when the
        database refuses some of them now; they stay noted.
        """
        with self._lock:
            first, self._first = self._first, defaultdict(set)
            self._wake.clear()
        waiting: dict[tuple[str, str], set[str]] = {}
        for place, used in sorted(first.items()):
            if self._gives_up(waiting) or not _is_written(partial(self._accept, place, used)):
                waiting[place] = used
        with self._lock:
            for place, used in waiting.items():
                self._first[place] |= used
            if waiting:
                self._wake.set()
        return not waiting

    def write_last_uses(self) -> None:
        """Write the noted times of last use, one statement for each organization and minute."""
        with self._lock:
            last, self._last = self._last, {}
        batches: dict[tuple[str, Moment], list[str]] = defaultdict(list)
        for (organization_id, token_id), at in last.items():
            batches[organization_id, at].append(token_id)
        waiting: dict[tuple[str, str], Moment] = {}
        parts = (
            (place, token_ids[start : start + _BATCH_SIZE])
            for place, token_ids in sorted(batches.items())
            for start in range(0, len(token_ids), _BATCH_SIZE)
        )
        for (organization_id, at), token_ids in parts:
            write = partial(self._write_last, organization_id, at, token_ids)
            if self._gives_up(waiting) or not _is_written(write):
                waiting |= {(organization_id, token_id): at for token_id in token_ids}
        with self._lock:
            self._last = waiting | self._last

    def _gives_up(self, waiting: Mapping[tuple[str, str], object]) -> bool:
        """Tell whether to skip the rest: a stopping process does not wait for a lost database."""
        return bool(waiting) and self._stopping.is_set()

    def _write_last(self, organization_id: str, at: Moment, token_ids: Iterable[str]) -> None:
        with writing(self._unit_of_work.engine) as connection:
            use_queries.note_last_used(connection, organization_id, token_ids, at)

    def _accept(self, place: tuple[str, str], used: Iterable[str]) -> None:
        """Accept the tokens `used` of one organization and service, with one event."""
        with writing(self._unit_of_work.engine) as connection:
            accept_within(connection, self._unit_of_work, place, used)

    def _run(self) -> None:
        due = time.monotonic() + LAST_USE_SECONDS
        while not self._stopping.is_set():
            if self._wake.wait(max(0.0, due - time.monotonic())):
                # Wait a moment, so that uses that come together share a transaction.
                self._stopping.wait(FIRST_USE_SECONDS)
                if not self.accept_first_uses():
                    self._stopping.wait(_RETRY_SECONDS)
            if time.monotonic() >= due:
                self.write_last_uses()
                due = time.monotonic() + LAST_USE_SECONDS


def accept_within(
    connection: Connection,
    unit_of_work: UnitOfWork,
    place: tuple[str, str],
    used: Iterable[str],
) -> None:
    """Accept the tokens `used` of one place, with one event, in the caller's transaction."""
    if operation_queries.lock_scope(connection, *place) is None:
        return
    now = unit_of_work.clock()  # after the wait for the lock
    members = use_queries.members_with_pending(connection, *place, used, now)
    if not members:
        return
    token_queries.close_lapsed(connection, *place, now, members)
    use_queries.accept_used(connection, *place, used, _ACCEPT, now)
    unit_of_work.record(connection, _event(place, members))


def _is_written(write: Callable[[], None]) -> bool:
    """Call `write`. Returns False after any error, so that the caller keeps the uses."""
    try:
        write()
    except DeskError as error:
        _log.warning("uses of tokens wait: %s", type(error).__name__)
    except Exception as error:  # noqa: BLE001 - a bug must not stop the writing of other uses
        _log.error("uses of tokens are not written: %s", type(error).__name__)
    else:
        return True
    return False


def _event(place: tuple[str, str], members: Mapping[str, str]) -> Event:
    """Return the event of first uses in one place; `members` are usernames by member id."""
    digest = hashlib.blake2b("\n".join(members).encode(), digest_size=16).hexdigest()
    subject = next(iter(members.values())) if len(members) == 1 else ""
    return Event(
        EventAction.FIRST_USE,
        "",
        _ADDRESS,
        *place,
        subject=subject,
        users=len(members),
        users_digest=digest,
    )
