"""Access to the server's routes: who may use which. A path that is not declared gets 404."""

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


class Audience(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    HOLDERS = "the people who made the download"
    RECALLING = "people with the permission to recall leaked tokens"
    SIGNING_IN = "anyone, if people sign in with an identity provider"
    SERVICES = "services; each of these routes checks the credentials itself"
    NOBODY = "nobody"


#: The health checks and Streamlit's own routes, by their exact path.
ROUTES = {
    paths.HEALTHZ: Audience.ANYONE,
    paths.READYZ: Audience.ANYONE,
    paths.HEALTH: Audience.ANYONE,
    paths.HOST_CONFIG: Audience.ANYONE,
    paths.LOGIN: Audience.SIGNING_IN,
    paths.LOGOUT: Audience.SIGNING_IN,
    paths.CALLBACK: Audience.SIGNING_IN,
}
_READS = {"GET", "HEAD"}
_WRITES = {"PUT", "DELETE"}


def audience_of(path: str, method: str, is_declared: Callable[[str], bool]) -> Audience:
    """Return who may use `path` with `method`, over plain HTTP.

    `is_declared` tells whether a path is a page or a static file. Other paths are for nobody:
    Streamlit would answer them with its page and 200, and a gateway with a typo in its address
    would take that for a good token.
    """
    if path.startswith(paths.API):
        return Audience.SERVICES
    # A file uploaded on the Recall page. Streamlit checks the session and its XSRF token.
    if path.startswith(paths.UPLOADS):
        return Audience.RECALLING if method in _WRITES else Audience.NOBODY
    if path in ROUTES:
        return ROUTES[path]
    if method not in _READS:
        return Audience.NOBODY
    if path.startswith(paths.MEDIA):
        return Audience.HOLDERS
    return Audience.ANYONE if is_declared(path) else Audience.NOBODY


@dataclass(frozen=True)
class AccessChecks:
    """Checks of the person who sends a request. Both may read the database.

    `may_fetch` tells whether the download is theirs, `may_upload` whether they may upload a file
    on the Recall page.
    """

    may_fetch: Callable[[HTTPConnection], bool]
    may_upload: Callable[[HTTPConnection], bool]


class RouteGuard:
    """Middleware that lets only declared paths through, and only to those who may use them."""

    def __init__(
        self,
        app: ASGIApp,
        is_declared: Callable[[str], bool],
        checks: AccessChecks,
        *,
        signing_in: bool,
    ) -> None:
        """Wrap `app`. `signing_in` opens the routes of Streamlit's own sign-in.

        `is_declared` tells whether a path is a page or a static file.
        """
        self._app = app
        self._is_declared = is_declared
        self._checks = checks
        self._signing_in = signing_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or respond with 404 for an undeclared path, 403 for somebody else's file."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        audience = self._audience_of(scope)
        if audience is not Audience.NOBODY and await self._is_allowed(audience, scope):
            await self._app(scope, receive, send)
        elif audience in {Audience.HOLDERS, Audience.RECALLING}:
            await refuse(scope, receive, send, NOT_YOURS)
        else:
            await not_found(scope, receive, send)

    def _audience_of(self, scope: Scope) -> Audience:
        if scope["type"] == "websocket":
            # For anyone: the sign-in page uses it too (lib.web.websocket_guard).
            return Audience.ANYONE if scope["path"] == paths.STREAM else Audience.NOBODY
        return audience_of(scope["path"], scope.get("method", "GET"), self._is_declared)

    async def _is_allowed(self, audience: Audience, scope: Scope) -> bool:
        connection = HTTPConnection(scope)
        if audience is Audience.HOLDERS:
            return await run_in_threadpool(self._checks.may_fetch, connection)
        if audience is Audience.RECALLING:
            return await run_in_threadpool(self._checks.may_upload, connection)
        if audience is Audience.SIGNING_IN:
            return self._signing_in and not _from_elsewhere(connection)
        return True


def _from_elsewhere(connection: HTTPConnection) -> bool:
    """Tell whether another site, or another host of our site, sends the browser to this path.

    The callback is an exception: the identity provider sends the browser there from its own site.
    """
    site = connection.headers.get("sec-fetch-site", "none")
    return site in {"cross-site", "same-site"} and connection.url.path != paths.CALLBACK
