"""Guard of the WebSocket of a page: which messages reach Streamlit, and from whom.

Anybody can open the WebSocket, because the sign-in page needs it too. Streamlit accepts messages
that our pages never send: one clears the caches of the whole process, one writes files. Also, a
click in an open dialog and a callback run before the page checks who is signed in. So every
message is checked here before Streamlit gets it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.domain.states import SessionStatus

#: The messages that a page sends while a person is signed in. Reruns of fragments and changes of
#: page or theme are `rerun_script` too (read in the source of Streamlit 1.67).
SIGNED_IN = frozenset(
    {"rerun_script", "stop_script", "file_urls_request", "app_heartbeat", "deferred_file"}
)
SIGNED_OUT = frozenset({"rerun_script", "app_heartbeat"})
SIGNED_OUT_BYTES = 64 * 1024  # limit of one frame: the sign-in page has only buttons
SIGNED_OUT_SOCKETS = 100  # limit for the whole process

# RFC 6455, section 7.4.1
_PROTOCOL_ERROR, _UNSUPPORTED, _POLICY_VIOLATION, _TOO_BIG = 1002, 1003, 1008, 1009
_TRY_LATER = 1013  # IANA's registry of close codes
_PROTOCOLS = "sec-websocket-protocol"
_SESSION = 2  # index; Streamlit's protocols are its own name, the XSRF token, the session to resume


@dataclass(frozen=True)
class SocketChecks:
    """The functions by which the guard checks people and messages.

    `status` reads the status of a connection's sign-in from the database. `message_type` returns
    the type of a frame's message, None if it does not parse. `reload` takes a frame and returns
    the message that makes its browser reload the page. Without the reload the browser would
    connect again, and still show the old page.
    """

    status: Callable[[HTTPConnection], SessionStatus]
    message_type: Callable[[bytes], str | None]
    reload: Callable[[bytes], bytes]


class WebSocketGuard:
    """Middleware that passes on only messages that pages send, and none of an ended sign-in.

    After the end of a sign-in the browser reloads its page. Nobody is signed in then, so it gets
    a new Streamlit session: the old one, with its open dialogs, cannot be resumed.
    """

    def __init__(self, app: ASGIApp, checks: SocketChecks, most: int = SIGNED_OUT_SOCKETS) -> None:
        """Wrap `app`. At most `most` connections may be open without a sign-in."""
        self._app = app
        self._checks = checks
        self._most = most
        self._signed_out: dict[_Socket, None] = {}  # oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the allowed messages until the sign-in or the connection ends."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        status = await run_in_threadpool(self._checks.status, connection)
        socket = _Socket(self._checks, connection, receive, send, status, self._signed_out)
        if status is not SessionStatus.ACTIVE:
            _forget_session(scope)
            self._signed_out[socket] = None
            await self._close_oldest()
        try:
            await self._app(scope, socket.receive, socket.send)
        finally:
            self._signed_out.pop(socket, None)

    async def _close_oldest(self) -> None:
        """Close the oldest signed-out connections above the limit.

        A connection whose person has signed in meanwhile is not closed.
        """
        while len(self._signed_out) > self._most:
            oldest = next(iter(self._signed_out))
            if await oldest.is_signed_out():
                oldest.closing.set()
            self._signed_out.pop(oldest, None)


class _ClosingError(Exception):
    """The connection must be closed with this WebSocket close code."""

    def __init__(self, code: int) -> None:
        """Keep the close code."""
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class _Socket:
    """One connection. `last_status` is the status of the sign-in when it could last be read.

    `signed_out` is the guard's collection of the connections without a sign-in.
    """

    checks: SocketChecks
    connection: HTTPConnection
    from_browser: Receive
    to_browser: Send
    last_status: SessionStatus
    signed_out: dict["_Socket", None]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    async def is_signed_out(self) -> bool:
        """Read from the database whether nobody is signed in."""
        return (
            await run_in_threadpool(self.checks.status, self.connection) is not SessionStatus.ACTIVE
        )

    async def send(self, message: Message) -> None:
        """Send Streamlit's message to the browser. After the close nothing is sent."""
        if not self.closed:
            await self.to_browser(message)

    async def receive(self) -> Message:
        """Return the next message that Streamlit may get. Others are dropped."""
        while True:
            message = await self._next()
            if message["type"] != "websocket.receive":
                return message
            try:
                if await self._is_allowed(message.get("bytes")):
                    return message
            except _ClosingError as error:
                return await self._close(error.code)

    async def _next(self) -> Message:
        """Return the browser's next message, or a disconnect if the guard closes the socket."""
        if self not in self.signed_out and not self.closing.is_set():
            return await self.from_browser()
        incoming = asyncio.ensure_future(self.from_browser())
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({incoming, closing}, return_when=asyncio.FIRST_COMPLETED)
            if closing.done():
                return await self._close(_TRY_LATER)
            return incoming.result()
        finally:
            incoming.cancel()
            closing.cancel()

    async def _is_allowed(self, frame: bytes | None) -> bool:
        """Tell whether Streamlit may get this frame.

        Raises _ClosingError for a frame that ends the connection.
        """
        if frame is None:  # a text frame: Streamlit would log a traceback for each
            raise _ClosingError(_UNSUPPORTED)
        now = await run_in_threadpool(self.checks.status, self.connection)
        if now is SessionStatus.UNKNOWN:
            # The page says so itself: it reads the database too, and callbacks check the sign-in.
            now = self.last_status
        if _ended(self.last_status, now):
            await self.to_browser({"type": "websocket.send", "bytes": self.checks.reload(frame)})
            raise _ClosingError(_POLICY_VIOLATION)
        self.last_status = now
        if now is SessionStatus.ACTIVE:
            self.signed_out.pop(self, None)
        elif len(frame) > SIGNED_OUT_BYTES:
            raise _ClosingError(_TOO_BIG)
        name = self.checks.message_type(frame)
        if name is None:
            raise _ClosingError(_PROTOCOL_ERROR)
        return name in (SIGNED_IN if now is SessionStatus.ACTIVE else SIGNED_OUT)

    async def _close(self, code: int) -> Message:
        """Close the connection, and return a disconnect, as if the browser had closed it."""
        self.closed = True
        await self.to_browser({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}


def _ended(before: SessionStatus, now: SessionStatus) -> bool:
    """Tell whether a sign-in ended between two checks.

    From NONE to ENDED counts too: a new sign-in gets its row only when its first page runs, so it
    can end before a check has seen it as ACTIVE. A sign-in that had ended when the browser
    connected does not count: that browser gets the sign-in page.
    """
    return (before is SessionStatus.ACTIVE and now is not SessionStatus.ACTIVE) or (
        before is SessionStatus.NONE and now is SessionStatus.ENDED
    )


def _forget_session(scope: Scope) -> None:
    """Remove the id of an earlier Streamlit session from the request."""
    headers = MutableHeaders(scope=scope)
    offered = headers.get(_PROTOCOLS, "").split(",")
    if len(offered) > _SESSION:
        headers[_PROTOCOLS] = ",".join(offered[:_SESSION])
