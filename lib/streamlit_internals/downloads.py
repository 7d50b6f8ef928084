"""Storage of downloads: how long a file is kept, and who may fetch it."""

import hashlib
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from streamlit.proto.BackMsg_pb2 import BackendOperationRequest
from streamlit.proto.ForwardMsg_pb2 import BackendOperationResponse
from streamlit.runtime import app_session
from streamlit.runtime.backend_operation_handler import DeferredFileHandler
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_media_file_storage import MemoryFile, MemoryMediaFileStorage
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.web.server.starlette.starlette_routes import BASE_ROUTE_MEDIA

LASTS_SECONDS = 60.0
AFTER_FETCH_SECONDS = 5.0  # a browser may request the same address twice
#: The address of all downloads.
MEDIA = f"/{BASE_ROUTE_MEDIA}"


@runtime_checkable
class KnowsSent(Protocol):
    """A callable of a download button that wants to know when its file was sent."""

    def sent(self) -> None:
        """Hear that all of the file was sent; once for each click."""


#: The session that requested the deferred download which is made in this context.
_requesting_session: ContextVar[str] = ContextVar("requesting_session", default="")
#: What makes the deferred download in this context, if it wants to know when it was sent.
_maker: ContextVar[KnowsSent | None] = ContextVar("maker", default=None)


class SessionDeferredFiles(DeferredFileHandler):
    """Runs a deferred download only for the session that drew its button.

    Streamlit itself runs it for any session that sends its id.
    """

    async def handle(
        self, request: BackendOperationRequest, session_id: str
    ) -> BackendOperationResponse:
        """Make the file for the button's own session. Another session gets an error."""
        deferred = self._get_media_file_mgr()._deferred_callables  # noqa: SLF001
        entry = deferred.get(request.deferred_file.file_id)
        if entry is None or entry["session_id"] != session_id:
            return BackendOperationResponse(
                request_id=request.request_id, error_msg="There is no such download."
            )
        # Each request runs in its own task, so in its own context; its thread inherits the context.
        _requesting_session.set(session_id)
        made_by = entry["callable"]
        _maker.set(made_by if isinstance(made_by, KnowsSent) else None)
        return await super().handle(request, session_id)


class ResponseKeepingQueue(ForwardMsgQueue):
    """Queue of a session's messages that keeps the responses to clicks on downloads.

    At the begin of a run Streamlit drops what it has not sent yet. The page runs again as soon as
    a file is made: the browser then never heard where the file is, and nothing came down.
    """

    def clear(
        self,
        retain_lifecycle_msgs: bool = False,  # noqa: FBT001, FBT002 - as Streamlit has it
        fragment_ids_this_run: list[str] | None = None,
    ) -> None:
        """As Streamlit, but a new run drops no response."""
        before = self._queue
        super().clear(retain_lifecycle_msgs, fragment_ids_this_run)
        if retain_lifecycle_msgs:
            kept = {id(message) for message in self._queue}
            self._queue += [
                message
                for message in before
                if message.HasField("backend_operation_response") and id(message) not in kept
            ]


def bind_deferred_files() -> None:
    """Make every later session use SessionDeferredFiles and ResponseKeepingQueue."""
    app_session.DeferredFileHandler = SessionDeferredFiles  # type: ignore[attr-defined]
    app_session.ForwardMsgQueue = ResponseKeepingQueue  # type: ignore[attr-defined]


def file_id_of(path: str) -> str:
    """Return the id of the file at a media address such as `/media/0a1b.csv`."""
    return path.rsplit("/", 1)[-1].partition(".")[0]


class DownloadStorage(MemoryMediaFileStorage):
    """Media storage that keeps a download for 60 s, or for 5 s after it was fetched completely.

    Streamlit deletes a deferred download when scripts have ended twice, in any session. A slow
    browser would get 404 after the tokens were replaced. So this class ignores Streamlit's delete
    for downloads; other files are deleted as usual.

    A download has holders: the people whose sessions made it. Equal content has several holders,
    because the id of a file is a hash of its content.
    """

    def __init__(
        self,
        holder_of_session: Callable[[str], str],
        endpoint: str = MEDIA,
        *,
        lasts: float = LASTS_SECONDS,
        after_fetch: float = AFTER_FETCH_SECONDS,
    ) -> None:
        """Keep each download for `lasts` seconds, or for `after_fetch` seconds after its fetch.

        `holder_of_session` returns the person of a session id; empty when there is none.
        """
        super().__init__(endpoint)
        self._holder_of_session = holder_of_session
        self._lasts = lasts
        self._after_fetch = after_fetch
        self._timers: dict[str, threading.Timer] = {}
        self._holders: dict[str, set[str]] = {}
        self._makers: dict[str, KnowsSent] = {}  # until their file was sent
        # Held while a file and its holders change: one thread may add a file as another ends it.
        self._lock = threading.RLock()

    def load_and_get_id(
        self,
        path_or_data: str | bytes,
        mimetype: str,
        kind: MediaFileKind,
        filename: str | None = None,
    ) -> str:
        """Add a file and return its id. The time of a download starts, or starts again."""
        if kind != MediaFileKind.DOWNLOADABLE:
            return super().load_and_get_id(path_or_data, mimetype, kind, filename)
        content = self._read_file(path_or_data) if isinstance(path_or_data, str) else path_or_data
        holder = self._holder_of_session(_requesting_session.get() or _drawing_session())
        file_id = _id_of(content, mimetype, filename)
        maker = _maker.get()
        with self._lock:
            if maker:
                self._makers[file_id] = maker
            self._holders.setdefault(file_id, set()).add(holder)
            self._files_by_id.setdefault(file_id, MemoryFile(content, mimetype, kind, filename))
            self._end_in(file_id, self._lasts)
        return file_id

    def may_fetch(self, file_id: str, holder: str) -> bool:
        """Tell whether `holder` made this download. Other files are for everybody."""
        holders = self._holders.get(file_id)
        return holders is None or (bool(holder) and holder in holders)

    def delete_file(self, file_id: str) -> None:
        """Delete a file, unless it is a download: that is deleted by its timer."""
        with self._lock:
            if file_id not in self._timers:
                super().delete_file(file_id)

    def fetched(self, file_id: str) -> None:
        """Shorten the time of a download that was fetched completely, and tell its maker.

        A later call does nothing: a browser may fetch the file of one click twice.
        """
        with self._lock:
            timer = self._timers.get(file_id)
            if timer and timer.interval != self._after_fetch:
                self._end_in(file_id, self._after_fetch)
            maker = self._makers.pop(file_id, None)
        if maker:
            maker.sent()

    def _end_in(self, file_id: str, seconds: float) -> None:
        earlier = self._timers.get(file_id)
        if earlier:
            earlier.cancel()
        timer = threading.Timer(seconds, lambda: self._end(file_id, timer))
        timer.daemon = True
        self._timers[file_id] = timer
        timer.start()

    def _end(self, file_id: str, timer: threading.Timer) -> None:
        # A timer that ran before it could be cancelled must not end a file that was added again.
        with self._lock:
            if self._timers.get(file_id) is timer:
                del self._timers[file_id]
                super().delete_file(file_id)
                self._holders.pop(file_id, None)
                self._makers.pop(file_id, None)


def _id_of(content: bytes, mimetype: str, filename: str | None) -> str:
    """Return the id of a download, a hash of all of it. Streamlit hashes parts of large files."""
    digest = hashlib.sha256(f"{mimetype}\n{filename}\n".encode())
    digest.update(content)
    return digest.hexdigest()


def _drawing_session() -> str:
    """Return the id of the session whose script runs in this thread; empty for none."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""
