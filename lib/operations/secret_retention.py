"""Memory for tokens in clear, until the person who generated them has downloaded or seen them.

It is the only such place in the process: tokens are in no session state, cache or file. A timer
deletes each secret even if nobody clicks.
"""

import threading
import time
from typing import NamedTuple

KEPT_SECONDS = 600.0


class SecretKey(NamedTuple):
    """Key of a secret: the browser session, the username, and the operation that made it."""

    session: str
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

    def drop_session(self, session: str) -> None:
        """Delete all secrets of a browser session."""
        with self._lock:
            keys = [key for key in self._kept if key.session == session]
        for key in keys:
            self.drop(key)

    def _end(self, key: SecretKey, timer: threading.Timer) -> None:
        """Delete the secret that `timer` was started for, but not a later one with the same key."""
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.timer is timer:
                del self._kept[key]
