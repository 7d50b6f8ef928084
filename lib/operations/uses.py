"""What happens because tokens are used: noted on each request, written in batches.

A request costs no write. The first use of an exported token accepts it within a second; when a
token was last used is written once a minute, and when the process stops. Killed, it loses a minute
of that at most, and no acceptance that was written.
"""

import hashlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable

from lib.domain.audit import Event, EventAction
from lib.domain.clock import MINUTE, Moment
from lib.domain.errors import DeskError
from lib.domain.rows import FoundToken
from lib.domain.states import TokenState
from lib.operations.ledger import Ledger
from lib.store import operation_queries, use_queries
from lib.store.engine import writing

_log = logging.getLogger(__name__)

FIRST_USE_SECONDS = 0.25
LAST_USE_SECONDS = 60.0
_AGAIN_SECONDS = 1.0
_ADDRESS = "first use"


class Uses:
    """Uses of tokens that are not written yet. Safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        """Write into `ledger`."""
        self._ledger = ledger
        self._lock = threading.Lock()
        self._first: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._last: dict[str, dict[str, Moment]] = defaultdict(dict)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, token: FoundToken, now: Moment) -> None:
        """Remember that `token` was used at `now`, to the minute."""
        minute = now - now % MINUTE
        used = self._last[token.organization_id]
        if used.get(token.token_id) != minute or token.state == TokenState.PENDING:
            with self._lock:
                self._last[token.organization_id][token.token_id] = minute
                if token.state == TokenState.PENDING:
                    place = (token.organization_id, token.service_id)
                    self._first[place].add(token.token_id)
                    self._wake.set()

    def start(self) -> None:
        """Begin to write in the background; once is enough."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="uses", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=10)
        self.flush()

    def flush(self) -> None:
        """Write everything that is noted; what the database does not take now stays noted."""
        self.accept_first_uses()
        self._write_last_uses()

    def accept_first_uses(self) -> None:
        """Accept the tokens that were used for the first time: one event a batch and place."""
        with self._lock:
            first, self._first = self._first, defaultdict(set)
            self._wake.clear()
        for (organization_id, service_id), token_ids in sorted(first.items()):
            try:
                self._accept(organization_id, service_id, token_ids)
            except DeskError as error:
                _log.warning("first uses wait: %s", type(error).__name__)
                with self._lock:
                    self._first[organization_id, service_id] |= token_ids
                self._stopping.wait(_AGAIN_SECONDS)
                self._wake.set()

    def _accept(self, organization_id: str, service_id: str, token_ids: Iterable[str]) -> None:
        event = Event(EventAction.FIRST_USE, "", _ADDRESS, organization_id, service_id)
        with writing(self._ledger.engine) as connection:
            if operation_queries.lock_scope(connection, organization_id, service_id) is None:
                return
            members = use_queries.accept_used(
                connection, organization_id, service_id, token_ids, self._ledger.clock()
            )
            if members:
                digest = hashlib.blake2b("\n".join(members).encode(), digest_size=16)
                self._ledger.record(
                    connection,
                    event._replace(users=len(members), users_digest=digest.hexdigest()),
                )

    def _write_last_uses(self) -> None:
        with self._lock:
            last, self._last = self._last, defaultdict(dict)
        for organization_id, used in sorted(last.items()):
            try:
                with writing(self._ledger.engine) as connection:
                    use_queries.note_last_used(connection, organization_id, used)
            except DeskError as error:
                _log.warning("last uses wait: %s", type(error).__name__)
                with self._lock:
                    self._last[organization_id] = used | self._last[organization_id]

    def _run(self) -> None:
        due = time.monotonic() + LAST_USE_SECONDS
        while not self._stopping.is_set():
            if self._wake.wait(max(0.0, due - time.monotonic())):
                # A moment for others who come at once, so that they share a transaction.
                self._stopping.wait(FIRST_USE_SECONDS)
                self.accept_first_uses()
            if time.monotonic() >= due:
                self._write_last_uses()
                due = time.monotonic() + LAST_USE_SECONDS
