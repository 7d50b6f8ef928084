"""What may come through the WebSocket that a page lives on, and from whom.

Anybody can open it, since the sign-in page comes through it too, and it takes messages that no page
of ours sends: one empties the caches of the whole process, one writes files. A click in an open
dialog, and a callback, also run before the page's frame asks who is signed in. So every message is
looked at here before Streamlit sees it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.domain.states import SessionStatus

#: What a page sends to a signed-in person's session. Fragments, and changes of page and theme, are
#: `rerun_script` too (read in Streamlit 1.67).
SIGNED_IN = frozenset(
    {"rerun_script", "stop_script", "file_urls_request", "app_heartbeat", "deferred_file"}
)
SIGNED_OUT = frozenset({"rerun_script", "app_heartbeat"})
SIGNED_OUT_BYTES = 64 * 1024  # of one frame: the sign-in page has buttons only
SIGNED_OUT_SOCKETS = 100  # in all

# RFC 6455, section 7.4.1
_PROTOCOL_ERROR, _UNSUPPORTED, _POLICY_VIOLATION, _TOO_BIG = 1002, 1003, 1008, 1009
_TRY_LATER = 1013  # IANA's registry of close codes
_PROTOCOLS = "sec-websocket-protocol"
_SESSION = 2  # Streamlit's protocols: its own, the XSRF token, the session to take up again


@dataclass(frozen=True)
class SocketChecks:
    """What the guard knows of people and messages.

    `status` returns how a sign-in stands, from the database. `message_type` names what a frame
    asks for; None when it is no message. `reload` returns the message that makes the browser load
    the page anew from which a frame came: it would connect again by itself, and show what it has.
    """

    status: Callable[[HTTPConnection], SessionStatus]
    message_type: Callable[[bytes], str | None]
    reload: Callable[[bytes], bytes]


class WebSocketGuard:
    """Let through what pages send, and nothing of a sign-in that has ended.

    After its end the browser loads its page anew. As nobody is in then, it gets a new session: of
    the one before, with its open dialogs, nothing can be taken up again.
    """

    def __init__(self, app: ASGIApp, checks: SocketChecks, most: int = SIGNED_OUT_SOCKETS) -> None:
        """Stand before `app`; `most` is how many people who are not signed in may be connected."""
        self._app = app
        self._checks = checks
        self._most = most
        self._signed_out: dict[_Socket, None] = {}  # in the order in which they came

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed until the sign-in, or the connection, ends."""
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
        """Make room for a newcomer. Who has signed in since they connected is not closed."""
        while len(self._signed_out) > self._most:
            oldest = next(iter(self._signed_out))
            if await oldest.is_signed_out():
                oldest.closing.set()
            self._signed_out.pop(oldest, None)


class _ClosingError(Exception):
    """The connection ends with this code."""

    def __init__(self, code: int) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class _Socket:
    """One connection. `last_status` is how the sign-in stood at the last look.

    `signed_out` holds the connections at whose end nobody is signed in.
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
        """Tell whether nobody is signed in now, from the database."""
        return (
            await run_in_threadpool(self.checks.status, self.connection) is not SessionStatus.ACTIVE
        )

    async def send(self, message: Message) -> None:
        """Send to the browser what Streamlit sends; nothing any more once it was closed here."""
        if not self.closed:
            await self.to_browser(message)

    async def receive(self) -> Message:
        """Return the next message that Streamlit may see; the others are dropped."""
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
        """Return what comes next: a message, or the end when a newcomer needs the place."""
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
        """Tell whether Streamlit may see this frame. Raises _ClosingError for what ends it all."""
        if frame is None:  # a text, which Streamlit answers with a traceback in its log
            raise _ClosingError(_UNSUPPORTED)
        now = await run_in_threadpool(self.checks.status, self.connection)
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
        """End the connection; Streamlit takes it for the browser's own end."""
        self.closed = True
        await self.to_browser({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}


def _ended(before: SessionStatus, now: SessionStatus) -> bool:
    """Tell whether a sign-in ended between two looks.

    A new one is seen only once its first page has run, so that it can be over without having been
    seen to last. One that was over when the browser connected gets the sign-in page.
    """
    return (before is SessionStatus.ACTIVE and now is not SessionStatus.ACTIVE) or (
        before is SessionStatus.NONE and now is SessionStatus.ENDED
    )


def _forget_session(scope: Scope) -> None:
    """Take the id of an earlier session out of the request."""
    headers = MutableHeaders(scope=scope)
    offered = headers.get(_PROTOCOLS, "").split(",")
    if len(offered) > _SESSION:
        headers[_PROTOCOLS] = ",".join(offered[:_SESSION])
