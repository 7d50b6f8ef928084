"""The WebSocket that a page lives on: closed at the first click after its sign-in has ended.

A click in an open dialog, and a callback, run before the page's frame asks who is signed in. So it
is asked here as well, for every message, before Streamlit sees it.
"""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.domain.states import Stay

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
        standing: Callable[[HTTPConnection], Stay],
        reload: Callable[[bytes], bytes],
    ) -> None:
        """Stand before `app`.

        `standing` says how the sign-in stands, from the database. `reload` returns the
        message that makes the browser load the page anew from which a message came: it would
        connect again by itself, and show what it has.
        """
        self._app = app
        self._standing = standing
        self._reload = reload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on until the sign-in ends."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        before = await run_in_threadpool(self._standing, connection)
        if before is not Stay.IN:
            _forget_session(scope)

        async def watched() -> Message:
            nonlocal before
            message = await receive()
            if message["type"] == "websocket.receive":
                now = await run_in_threadpool(self._standing, connection)
                if _ended(before, now):
                    told = self._reload(message.get("bytes") or b"")
                    await send({"type": "websocket.send", "bytes": told})
                    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                    return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
                before = now
            return message

        await self._app(scope, watched, send)


def _ended(before: Stay, now: Stay) -> bool:
    """Tell whether a sign-in ended between two looks.

    A new one is seen only once its first page has run, so that it can be over without having been
    seen to last. One that was over when the browser connected gets the sign-in page.
    """
    return (before is Stay.IN and now is not Stay.IN) or (before is Stay.OUT and now is Stay.OVER)


def _forget_session(scope: Scope) -> None:
    """Take the id of an earlier session out of the request."""
    headers = MutableHeaders(scope=scope)
    offered = headers.get(_PROTOCOLS, "").split(",")
    if len(offered) > _SESSION:
        headers[_PROTOCOLS] = ",".join(offered[:_SESSION])
