"""What the server sees of a download: whether all of it was sent."""

import asyncio
from collections.abc import Callable, Iterator

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.streamlit_internals.downloads import MEDIA, file_id_of

_OK = 200
_PART = 65_536  # bytes; the server waits between two parts until the network has taken the first
_LOOK_SECONDS = 0.02  # how long the last part waits for the news of a disconnect


class DownloadObserver:
    """Middleware that calls `fetched` when a download was sent completely.

    Sent means that the network has taken it. What the operating system and a proxy hold at a cut
    has counted as sent: HTTP has no message that says what arrived.
    """

    def __init__(self, app: ASGIApp, fetched: Callable[[str], None]) -> None:
        """Wrap `app`. `fetched` is called in a thread with the id of each file that was sent."""
        self._app = app
        self._fetched = fetched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on. A GET answered with 200 up to the last byte counts as fetched."""
        is_download = scope["type"] == "http" and scope["path"].startswith(f"{MEDIA}/")
        if not is_download or scope["method"] != "GET" or _is_probe(scope):
            await self._app(scope, receive, send)
            return
        sending = _Sending(receive, send)
        try:
            await self._app(scope, receive, sending)
        finally:
            sending.stop()
        if sending.complete:
            await run_in_threadpool(self._fetched, file_id_of(scope["path"]))


def _is_probe(scope: Scope) -> bool:
    """Tell whether Streamlit's script asks if the file is there: it reads it, and keeps nothing.

    A browser's download is a navigation (Sec-Fetch-Mode, W3C Fetch Metadata). Browsers send the
    header to https and to this machine; without it every request counts.
    """
    return (b"sec-fetch-mode", b"cors") in scope.get("headers", ())


class _Sending:
    """Sends a response in parts. `complete` tells that all of it was sent, with status 200.

    A server takes a body of any size at once, and drops what it is given after a disconnect. So
    the parts are small, and the connection is watched until the last one.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self.complete = False
        self._receive = receive
        self._send = send
        self._status = 0
        self._gone: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        """Send one message of the response."""
        if message["type"] != "http.response.body":
            self._status = message.get("status", self._status)
            await self._send(message)
            self._gone = self._gone or asyncio.create_task(_disconnected(self._receive))
            return
        for part in _parts(message):
            is_last = not part["more_body"]
            is_cut = is_last and await self._is_cut()
            await self._send(part)
            self.complete = is_last and not is_cut and self._status == _OK

    async def _is_cut(self) -> bool:
        """Tell whether the connection is closed. It waits a moment, for what has just arrived."""
        if self._gone is None:
            return False
        done, _ = await asyncio.wait([self._gone], timeout=_LOOK_SECONDS)
        return bool(done)

    def stop(self) -> None:
        """Watch the connection no longer."""
        if self._gone:
            self._gone.cancel()


async def _disconnected(receive: Receive) -> None:
    """Return when the browser has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _parts(message: Message) -> Iterator[Message]:
    """Yield the body of a message in parts of 64 KB; an empty body is one part."""
    body = memoryview(message.get("body", b""))
    for start in range(0, max(len(body), 1), _PART):
        is_last = start + _PART >= len(body)
        more = bool(message.get("more_body")) or not is_last
        yield {**message, "body": bytes(body[start : start + _PART]), "more_body": more}
