"""Which of the server's routes are for whom: a table. What is not in it is for nobody."""

from collections.abc import Callable
from enum import Enum

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.web.gate import refuse

NOBODY_IN = "Sign in to Token Desk first.\n"
NOTHING_HERE = "Not found\n"


class For(Enum):
    """Whom a route is for."""

    ANYONE = "anyone"
    SIGNED_IN = "whoever is signed in"
    RECALLING = "whoever may recall leaked tokens"
    SIGNING_IN = "whoever signs in or out, where people do"
    SERVICES = "services, whose credential each of these routes asks for itself"
    NOBODY = "nobody"


#: Health, and Streamlit's own routes. What begins with such a name and is not here is for nobody.
#: The stream is for anyone: through it the sign-in page comes, and each page's code asks who is in.
ROUTES = {
    "/healthz": For.ANYONE,
    "/readyz": For.ANYONE,
    "/_stcore/health": For.ANYONE,
    "/_stcore/host-config": For.ANYONE,
    "/_stcore/stream": For.ANYONE,
    "/auth/login": For.SIGNING_IN,
    "/auth/logout": For.SIGNING_IN,
    "/oauth2callback": For.SIGNING_IN,
}
#: Downloads, and Streamlit's own scripts, styles and fonts: to be read.
FOLDERS = {"/media/": For.SIGNED_IN, "/static/": For.ANYONE}
#: The file that somebody drops on Recall; Streamlit asks for the session and its XSRF token.
UPLOADS = "/_stcore/upload_file/"
API = "/api/v1/"
RESERVED = (
    "/api",
    "/_stcore",
    "/media",
    "/static",
    "/component",
    "/app/static",
    "/auth",
    "/oauth2callback",
    "/healthz",
    "/readyz",
)
_READS = {"GET", "HEAD"}
_WRITES = {"PUT", "DELETE"}


def whom(path: str, method: str) -> For:
    """Return whom a path is for.

    A reserved name counts wherever it stands: Streamlit can be served below a base path.
    """
    reserved = [at for at in (f"{path}/".find(f"{name}/") for name in RESERVED) if at >= 0]
    if not reserved:
        return For.ANYONE if method in _READS else For.NOBODY
    own = path[min(reserved) :]
    if own.startswith(API):
        return For.SERVICES
    if own.startswith(UPLOADS):
        return For.RECALLING if method in _WRITES else For.NOBODY
    for folder, whose in FOLDERS.items():
        if own.startswith(folder):
            return whose if method in _READS else For.NOBODY
    return ROUTES.get(own, For.NOBODY)


class RouteGuard:
    """Close every route but those of the table."""

    def __init__(
        self,
        app: ASGIApp,
        is_in: Callable[[HTTPConnection], bool],
        may_drop: Callable[[HTTPConnection], bool],
        *,
        signing_in: bool,
    ) -> None:
        """Stand before `app`.

        `is_in` tells whether somebody is signed in, `may_drop` whether they may drop a file on
        Recall; both may ask the database. `signing_in` opens the routes of Streamlit's own sign-in.
        """
        self._app = app
        self._is_in = is_in
        self._may_drop = may_drop
        self._signing_in = signing_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 where nothing is for anyone, 403 where nobody is signed in."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        whose = whom(scope["path"], scope.get("method", "GET"))
        if whose is For.NOBODY or not await self._may(whose, scope):
            closed = whose in {For.SIGNED_IN, For.RECALLING}
            status, text = (403, NOBODY_IN) if closed else (404, NOTHING_HERE)
            await refuse(scope, receive, send, text, status_code=status)
        else:
            await self._app(scope, receive, send)

    async def _may(self, whose: For, scope: Scope) -> bool:
        if whose is For.SIGNED_IN:
            return await run_in_threadpool(self._is_in, HTTPConnection(scope))
        if whose is For.RECALLING:
            return await run_in_threadpool(self._may_drop, HTTPConnection(scope))
        if whose is For.SIGNING_IN:
            return self._signing_in and not _from_elsewhere(scope)
        return True


def _from_elsewhere(scope: Scope) -> bool:
    """Tell whether another site sends the browser to sign out or in; the callback always is."""
    site = HTTPConnection(scope).headers.get("sec-fetch-site", "none")
    return site == "cross-site" and not scope["path"].endswith("/oauth2callback")
