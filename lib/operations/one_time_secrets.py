"""The one place in this process where tokens wait in clear for the person who made them.

Kept out of session state, caches and files; a timer ends each secret even when nobody clicks.
"""

import threading
import time
from typing import NamedTuple

KEPT_SECONDS = 600.0


class SecretKey(NamedTuple):
    """Who may have a secret back: a browser session, a person, and what made it."""

    session: str
    username: str
    made_by: str


class _Kept(NamedTuple):
    secret: bytes
    until: float
    timer: threading.Timer


class OneTimeSecrets:
    """Secrets by key, each for `seconds`. Safe to use from several threads."""

    def __init__(self, seconds: float = KEPT_SECONDS) -> None:
        """Keep secrets for `seconds`."""
        self._seconds = seconds
        self._kept: dict[SecretKey, _Kept] = {}
        self._lock = threading.Lock()

    def keep(self, key: SecretKey, secret: bytes) -> None:
        """Hold `secret`, in an earlier one's place, until its time is over or it is dropped."""
        timer = threading.Timer(self._seconds, lambda: self._end(key, timer))
        timer.daemon = True
        with self._lock:
            earlier = self._kept.get(key)
            self._kept[key] = _Kept(secret, time.monotonic() + self._seconds, timer)
        if earlier:
            earlier.timer.cancel()
        timer.start()

    def get(self, key: SecretKey) -> bytes | None:
        """Return the secret, or None when it is gone or was never here."""
        with self._lock:
            kept = self._kept.get(key)
        return kept.secret if kept and kept.until > time.monotonic() else None

    def seconds_left(self, key: SecretKey) -> float:
        """Return for how many seconds the secret is still here; 0 when it is gone."""
        with self._lock:
            kept = self._kept.get(key)
        return max(0.0, kept.until - time.monotonic()) if kept else 0.0

    def drop(self, key: SecretKey) -> None:
        """Forget one secret; no error when it is gone."""
        with self._lock:
            kept = self._kept.pop(key, None)
        if kept:
            kept.timer.cancel()

    def drop_session(self, session: str) -> None:
        """Forget everything that a browser session has here."""
        with self._lock:
            keys = [key for key in self._kept if key.session == session]
        for key in keys:
            self.drop(key)

    def _end(self, key: SecretKey, timer: threading.Timer) -> None:
        """Forget the secret that `timer` was started for, and no later one under its key."""
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.timer is timer:
                del self._kept[key]
