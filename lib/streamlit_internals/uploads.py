"""Storage of uploaded files: how many a browser session may have in memory, and for how long."""

import threading
import time
from collections import deque

from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette.starlette_routes import BASE_ROUTE_UPLOAD_FILE

FILES = 3
BYTES = 15_000_000
SECONDS = 600.0
_ENDPOINT = f"/{BASE_ROUTE_UPLOAD_FILE}"


class LimitedUploads(MemoryUploadedFileManager):
    """Keeps only the last files of each session, limited by number, bytes and time.

    Streamlit keeps all files until the session ends. The page reads a file once, so older files
    are not needed.
    """

    def __init__(
        self,
        endpoint: str = _ENDPOINT,
        *,
        files: int = FILES,
        size: int = BYTES,
        seconds: float = SECONDS,
    ) -> None:
        """Keep at most `files` files of `size` bytes in total for a session, each for `seconds`."""
        super().__init__(endpoint)
        self._most_files = files
        self._most_bytes = size
        self._seconds = seconds
        self._due: deque[tuple[float, str, str]] = (
            deque()
        )  # time, session id, file id; oldest first
        self._timer: threading.Timer | None = None

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Add a file. The oldest files of its session are removed if they exceed the limits."""
        super().add_file(session_id, file)
        for file_id in self._excess(session_id):
            self.remove_file(session_id, file_id)
        with self._lock:
            self._due.append((time.monotonic() + self._seconds, session_id, file.file_id))
            self._sweep_later()

    def _excess(self, session_id: str) -> list[str]:
        """Return the ids of the files to remove, oldest first; never the newest file."""
        with self._lock:
            kept = list(self.file_storage[session_id].values())
        excess = []
        while len(kept) > 1 and (
            len(kept) > self._most_files or sum(len(f.data) for f in kept) > self._most_bytes
        ):
            excess.append(kept.pop(0).file_id)
        return excess

    def _sweep_later(self) -> None:
        """Start the one timer, for when the oldest file is due. The caller holds the lock."""
        if self._timer is None and self._due:
            seconds = max(0.0, self._due[0][0] - time.monotonic())
            self._timer = threading.Timer(seconds, self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        """Remove the files that are due, and the entries of sessions without files."""
        now = time.monotonic()
        with self._lock:
            due = []
            while self._due and self._due[0][0] <= now:
                due.append(self._due.popleft())
        for _, session_id, file_id in due:
            self.remove_file(session_id, file_id)
        with self._lock:
            for session_id in {session_id for _, session_id, _ in due}:
                if not self.file_storage.get(session_id, True):
                    del self.file_storage[session_id]
            self._timer = None
            self._sweep_later()
