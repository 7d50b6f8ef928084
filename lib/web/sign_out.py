"""Sign-out: when Streamlit deletes or replaces the cookie of a sign-in, the sign-in ends as well.

Otherwise a copy of the cookie would still work, and so would another tab of the browser.
"""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.domain.errors import DeskError
from lib.web import paths
from lib.web.cookies import sets_cookie
from lib.web.security_middleware import refuse

STILL_IN = (
    "You are still signed in: Token Desk cannot reach its database to end your sign-in. "
    "Try again in a moment.\n"
)


class _NotEndedError(Exception):
    """The sign-in could not be ended."""


class SignOut:
    """Middleware that ends a sign-in before its cookie is deleted. If that fails, both stay."""

    def __init__(self, app: ASGIApp, end: Callable[[HTTPConnection], None], *, cookie: str) -> None:
        """Wrap `app`. `cookie` is the name of the cookie that a sign-in sets.

        `end` ends the sign-in of a browser, and raises DeskError if it cannot.
        """
        self._app = app
        self._end = end
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the sign-in before a sign-out or a new cookie; pass everything else on.

        Responds with 503 if the sign-in cannot be ended.
        """
        path = scope["path"] if scope["type"] == "http" else ""

        async def end_before(message: Message) -> None:
            if message["type"] == "http.response.start" and sets_cookie(message, self._cookie):
                await self._end_sign_in(scope)
            await send(message)

        try:
            if path == paths.LOGOUT:
                await self._end_sign_in(scope)
            await self._app(scope, receive, end_before if path == paths.CALLBACK else send)
        except _NotEndedError:
            await refuse(scope, receive, send, STILL_IN, status_code=503)

    async def _end_sign_in(self, scope: Scope) -> None:
        try:
            await run_in_threadpool(self._end, HTTPConnection(scope))
        except DeskError as error:
            raise _NotEndedError from error
