"""Memory for tokens in clear, until the person who generated them has downloaded or seen them.

It is the only such place in the process: tokens are in no session state, cache or file. A timer
deletes each secret even if nobody clicks.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

KEPT_SECONDS = 600.0


class SecretKey(NamedTuple):
    """Key of a secret: its holder, the username, and the id of the operation that made it.

    The holder is the sign-in of an OIDC provider, which a reload of the page does not change;
    without one, it is the browser session.
    """

    holder: str
    username: str
    made_by: str


class _Kept(NamedTuple):
    secret: bytes
    until: float
    timer: threading.Timer


class OneTimeSecrets:
    """Secrets by key. Safe to use from several threads."""

    def __init__(self, seconds: float = KEPT_SECONDS) -> None:
        """Keep each secret for `seconds`."""
        self._seconds = seconds
        self._kept: dict[SecretKey, _Kept] = {}
        self._being_made: set[SecretKey] = set()
        self._lock = threading.Lock()

    def keep(self, key: SecretKey, secret: bytes) -> None:
        """Keep `secret` until its time is over or it is dropped. It replaces an earlier one."""
        timer = threading.Timer(self._seconds, lambda: self._end(key, timer))
        timer.daemon = True
        with self._lock:
            earlier = self._kept.get(key)
            self._kept[key] = _Kept(secret, time.monotonic() + self._seconds, timer)
        if earlier:
            earlier.timer.cancel()
        timer.start()

    def get(self, key: SecretKey) -> bytes | None:
        """Return the secret; None when there is none, or no longer."""
        with self._lock:
            kept = self._kept.get(key)
        return kept.secret if kept and kept.until > time.monotonic() else None

    def seconds_left(self, key: SecretKey) -> float:
        """Return the seconds until the secret is deleted; 0 when there is none."""
        with self._lock:
            kept = self._kept.get(key)
        return max(0.0, kept.until - time.monotonic()) if kept else 0.0

    def drop(self, key: SecretKey) -> None:
        """Delete one secret. No error when there is none."""
        with self._lock:
            kept = self._kept.pop(key, None)
        if kept:
            kept.timer.cancel()

    def drop_holder(self, holder: str) -> None:
        """Delete all secrets of a holder."""
        with self._lock:
            keys = [key for key in self._kept if key.holder == holder]
        for key in keys:
            self.drop(key)

    @contextmanager
    def being_made(self, key: SecretKey) -> Iterator[None]:
        """Let `is_making` answer yes for the person of `key` until the block ends."""
        with self._lock:
            self._being_made.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._being_made.discard(key)

    def is_making(self, username: str) -> bool:
        """Tell whether secrets are being made for a person now, in any browser session."""
        with self._lock:
            return any(key.username == username for key in self._being_made)

    def _end(self, key: SecretKey, timer: threading.Timer) -> None:
        """Delete the secret that `timer` was started for, but not a later one with the same key."""
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.timer is timer:
                del self._kept[key]
