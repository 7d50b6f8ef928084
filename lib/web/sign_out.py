"""Streamlit's route of the sign-out: it takes back the cookie, and here ends the sign-in as well.

A copy of the cookie would go on working otherwise.
"""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.domain.errors import DeskError
from lib.web.gate import refuse

_LOGOUT = "/auth/logout"
STILL_IN = (
    "You are still signed in: Token Desk cannot reach its database to end your sign-in. "
    "Try again in a moment.\n"
)


class SignOut:
    """End the sign-in before its cookie is taken back; where that fails, both stay."""

    def __init__(self, app: ASGIApp, end: Callable[[HTTPConnection], None]) -> None:
        """Stand before `app`; `end` ends a browser's sign-in, and raises DeskError if it cannot."""
        self._app = app
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; a sign-out only after the sign-in was ended."""
        if scope["type"] == "http" and scope["path"] == _LOGOUT:
            try:
                await run_in_threadpool(self._end, HTTPConnection(scope))
            except DeskError:
                await refuse(scope, receive, send, STILL_IN, status_code=503)
                return
        await self._app(scope, receive, send)
