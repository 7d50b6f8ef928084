"""Which of the server's addresses are for whom. What is not declared is for nobody: 404."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.web import paths
from lib.web.not_found import not_found
from lib.web.security_middleware import refuse

NOT_YOURS = "This is not yours, or you are not signed in to Token Desk.\n"


class For(Enum):
    """Whom a route is for."""

    ANYONE = "anyone"
    HOLDERS = "those who made the download"
    RECALLING = "whoever may recall leaked tokens"
    SIGNING_IN = "whoever signs in or out, where people do"
    SERVICES = "services, whose credential each of these routes asks for itself"
    NOBODY = "nobody"


#: Health, and Streamlit's own routes: exactly these addresses.
ROUTES = {
    paths.HEALTHZ: For.ANYONE,
    paths.READYZ: For.ANYONE,
    paths.HEALTH: For.ANYONE,
    paths.HOST_CONFIG: For.ANYONE,
    paths.LOGIN: For.SIGNING_IN,
    paths.LOGOUT: For.SIGNING_IN,
    paths.CALLBACK: For.SIGNING_IN,
}
_READS = {"GET", "HEAD"}
_WRITES = {"PUT", "DELETE"}


def whom(path: str, method: str, is_declared: Callable[[str], bool]) -> For:
    """Return whom an address is for when it is asked by plain HTTP.

    `is_declared` tells whether it is a page or a static file. Only declared addresses are for
    anybody. Streamlit answers any other with its page and 200, which a gateway whose address has a
    typo would take for a good token.
    """
    if path.startswith(paths.API):
        return For.SERVICES
    # The file that somebody drops on Recall; Streamlit asks for the session and its XSRF token.
    if path.startswith(paths.UPLOADS):
        return For.RECALLING if method in _WRITES else For.NOBODY
    if path in ROUTES:
        return ROUTES[path]
    if method not in _READS:
        return For.NOBODY
    if path.startswith(paths.MEDIA):
        return For.HOLDERS
    return For.ANYONE if is_declared(path) else For.NOBODY


@dataclass(frozen=True)
class AccessChecks:
    """What the guard asks about who is at the other end; both may read the database.

    `may_fetch` tells whether a download is theirs, `may_drop` whether they may drop a file on
    Recall.
    """

    may_fetch: Callable[[HTTPConnection], bool]
    may_drop: Callable[[HTTPConnection], bool]


class RouteGuard:
    """Close every address but the declared ones."""

    def __init__(
        self,
        app: ASGIApp,
        is_declared: Callable[[str], bool],
        checks: AccessChecks,
        *,
        signing_in: bool,
    ) -> None:
        """Stand before `app`; `signing_in` opens the routes of Streamlit's own sign-in.

        `is_declared` tells whether a path is that of a page or of a static file.
        """
        self._app = app
        self._is_declared = is_declared
        self._checks = checks
        self._signing_in = signing_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 where nothing is for anyone, 403 where it is for others."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        whose = self._whom(scope)
        if whose is not For.NOBODY and await self._may(whose, scope):
            await self._app(scope, receive, send)
        elif whose in {For.HOLDERS, For.RECALLING}:
            await refuse(scope, receive, send, NOT_YOURS)
        else:
            await not_found(scope, receive, send)

    def _whom(self, scope: Scope) -> For:
        if scope["type"] == "websocket":
            # For anyone: through it the sign-in page comes (lib.web.websocket_guard).
            return For.ANYONE if scope["path"] == paths.STREAM else For.NOBODY
        return whom(scope["path"], scope.get("method", "GET"), self._is_declared)

    async def _may(self, whose: For, scope: Scope) -> bool:
        connection = HTTPConnection(scope)
        if whose is For.HOLDERS:
            return await run_in_threadpool(self._checks.may_fetch, connection)
        if whose is For.RECALLING:
            return await run_in_threadpool(self._checks.may_drop, connection)
        if whose is For.SIGNING_IN:
            return self._signing_in and not _from_elsewhere(connection)
        return True


def _from_elsewhere(connection: HTTPConnection) -> bool:
    """Tell whether another site, or a sibling host, sends the browser to sign out or in.

    The provider sends it to the callback, from its own site.
    """
    site = connection.headers.get("sec-fetch-site", "none")
    return site in {"cross-site", "same-site"} and connection.url.path != paths.CALLBACK
