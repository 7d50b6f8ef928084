"""Middleware in front of Streamlit: loopback only, allowed hosts and origins, security headers."""

import ipaddress
import logging
import time
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.web import paths
from lib.web.origins import same_host

DEMO_ONLY_HERE = (
    "Token Desk runs in demo mode, where anyone can sign in as anyone, so it answers on this "
    "machine only (localhost). To show the demo to others, set TOKEN_DESK_DEMO=1, and use no real "
    "tokens.\n"
)
PROXY_ONLY_HERE = (
    "Token Desk gets usernames from a sign-in proxy on its own machine, so it answers on a "
    "loopback address only. Otherwise people could bypass the proxy and sign in as anyone. Open "
    "Token Desk at the proxy's address.\n"
)
_STRANGE_HOST = (
    "Token Desk does not accept this host name. Its administrator can add the name to "
    "server.allowedHosts (STREAMLIT_SERVER_ALLOWED_HOSTS).\n"
)
_HOST_REFUSED = (
    "Refused a request to the host %s, which is not in server.allowedHosts. If browsers use that "
    "name, add it (STREAMLIT_SERVER_ALLOWED_HOSTS). If not, the proxy in front must pass on what "
    "they use (nginx: proxy_set_header Host $http_host;)."
)
_ORIGIN_REFUSED = (
    "Refused a WebSocket of the origin %s to the host %s: they differ, so pages stay empty. If the "
    "origin is Token Desk's own address, the proxy in front must pass on the host and port that "
    "browsers use (nginx: proxy_set_header Host $http_host; not $host, which has no port)."
)
_LOG_SECONDS = 60
_LONGEST = 200  # characters of a value in the log
_log = logging.getLogger(__name__)
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
_YEAR = 365 * 24 * 3600
#: Requested by machines, under any host name. These routes use nothing that a browser sends by
#: itself, such as cookies, so a page of another host (DNS rebinding) learns nothing.
_FOR_MACHINES = (paths.HEALTH, paths.HEALTHZ, paths.READYZ)


def security_policy(inline_scripts: Sequence[str]) -> str:
    """Return the content security policy.

    `inline_scripts` are the `sha256-…` of the scripts in Streamlit's page and in our components.
    Nothing is loaded from, or sent to, another host. `eval` is not allowed: Streamlit's charts
    interpret their expressions instead (checked in Chromium). Streamlit's scripts compile
    WebAssembly, which needs 'wasm-unsafe-eval', and its widgets need inline styles.
    """
    scripts = " ".join(f"'{digest}'" for digest in inline_scripts)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts} 'wasm-unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Middleware that adds the security headers to every response, and `no-store` to downloads."""

    def __init__(self, app: ASGIApp, policy: str, *, https: bool = False) -> None:
        """Wrap `app`. With `https`, browsers use only https for a year (HSTS)."""
        self._app = app
        # referrer-policy: our own server needs the referrer (lib.web.return_to), others get none.
        headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }
        if https:
            headers["strict-transport-security"] = f"max-age={_YEAR}"
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and add the headers to the response."""
        download = scope["type"] == "http" and scope["path"].startswith(paths.MEDIA)

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
                if download:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, add)


class LoopbackGate:
    """Middleware that refuses a connection whose server address is not a loopback address.

    The server's address is checked for each connection, because not only our settings decide
    where the server listens. A proxy on this machine passes: who sets one up opens Token Desk on
    purpose. A proxy's headers can change the client's address, but not the server's.
    """

    def __init__(self, app: ASGIApp, refusal: str) -> None:
        """Wrap `app`. `refusal` is the text for refused requests."""
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with 403, or close the WebSocket, unless the connection came in on loopback."""
        if scope["type"] == "lifespan" or _is_loopback(scope):
            await self._app(scope, receive, send)
        else:
            await refuse(scope, receive, send, self._refusal)


class OriginGate:
    """Middleware that refuses unknown hosts, and WebSockets that were not opened by our own page.

    Streamlit itself accepts a WebSocket without Origin, and one from any port of this machine.
    Health checks and the API are answered under any host name.
    """

    def __init__(
        self,
        app: ASGIApp,
        is_known_host: Callable[[str | None], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap `app`. `is_known_host` tells whether a Host header is allowed.

        `clock` gives seconds, for the log.
        """
        self._app = app
        self._is_known_host = is_known_host
        self._clock = clock
        self._logged: dict[str, float] = {}  # when each sentence was last written

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with 403, or close the WebSocket, unless host and origin are our own."""
        if scope["type"] == "lifespan" or _is_for_machines(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origins = headers.get("host"), headers.getlist("origin")
        if not self._is_known_host(host):
            self._log(_HOST_REFUSED, host)
            await refuse(scope, receive, send, _STRANGE_HOST)
        elif scope["type"] == "websocket" and not _is_own_origin(origins, host):
            self._log(_ORIGIN_REFUSED, ", ".join(origins), host)
            await refuse(scope, receive, send, _STRANGE_HOST)
        else:
            await self._app(_with_host_of(scope, origins), receive, send)

    def _log(self, sentence: str, *values: str | None) -> None:
        """Log a refusal, each sentence once a minute at most. The values come from anybody."""
        now = self._clock()
        if now - self._logged.get(sentence, -_LOG_SECONDS) >= _LOG_SECONDS:
            self._logged[sentence] = now
            _log.warning(sentence, *(f"{value or '(none)'!r:.{_LONGEST}}" for value in values))


async def refuse(
    scope: Scope, receive: Receive, send: Send, text: str, *, status_code: int = 403
) -> None:
    """Respond with `text` and `status_code`. A WebSocket is closed before it is accepted."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "refused"})
    else:
        await PlainTextResponse(text, status_code=status_code)(scope, receive, send)


def _is_for_machines(scope: Scope) -> bool:
    path = scope["path"]
    return scope["type"] == "http" and (path in _FOR_MACHINES or path.startswith(paths.API))


def _is_own_origin(origins: list[str], host: str | None) -> bool:
    """Tell whether there is one Origin, and it is the host by http or https."""
    scheme, _, authority = origins[0].partition("://") if len(origins) == 1 else ("", "", "")
    return scheme in {"http", "https"} and same_host(scheme, authority, host or "")


def _with_host_of(scope: Scope, origins: list[str]) -> Scope:
    """Return the scope of a WebSocket with the host as its own Origin writes it.

    Streamlit compares the two letter by letter.
    """
    if scope["type"] != "websocket":
        return scope
    changed = dict(scope, headers=list(scope["headers"]))
    MutableHeaders(scope=changed)["host"] = origins[0].partition("://")[2]
    return changed


def _is_loopback(scope: Scope) -> bool:
    host = (scope.get("server") or ("", None))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
