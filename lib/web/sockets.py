"""The WebSocket that a page lives on: closed at the first click after its sign-in has ended.

A click in an open dialog, and a callback, run before the page's frame asks who is signed in. So it
is asked here as well, for every message, before Streamlit sees it.
"""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
_PROTOCOLS = "sec-websocket-protocol"
_SESSION = 2  # Streamlit's protocols: its own, the XSRF token, the session to take up again


class SocketWatch:
    """Let no message of a sign-in through that has ended; the browser loads its page anew.

    As nobody is in then, it gets a new session: of the one before, with its open dialogs, nothing
    can be taken up again.
    """

    def __init__(
        self,
        app: ASGIApp,
        is_in: Callable[[HTTPConnection], bool],
        reload: Callable[[bytes], bytes],
    ) -> None:
        """Stand before `app`.

        `is_in` tells whether somebody is signed in, from the database. `reload` returns the
        message that makes the browser load the page anew from which a message came: it would
        connect again by itself, and show what it has.
        """
        self._app = app
        self._is_in = is_in
        self._reload = reload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on until the sign-in ends."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        was_in = await run_in_threadpool(self._is_in, connection)
        if not was_in:
            _forget_session(scope)

        async def watched() -> Message:
            nonlocal was_in
            message = await receive()
            if message["type"] == "websocket.receive":
                is_in = await run_in_threadpool(self._is_in, connection)
                if was_in and not is_in:
                    told = self._reload(message.get("bytes") or b"")
                    await send({"type": "websocket.send", "bytes": told})
                    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                    return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
                was_in = is_in
            return message

        await self._app(scope, watched, send)


def _forget_session(scope: Scope) -> None:
    """Take the id of an earlier session out of the request."""
    headers = MutableHeaders(scope=scope)
    offered = headers.get(_PROTOCOLS, "").split(",")
    if len(offered) > _SESSION:
        headers[_PROTOCOLS] = ",".join(offered[:_SESSION])
