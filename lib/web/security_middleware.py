"""What every connection passes before Streamlit: where it came in, for whom, and the headers."""

import ipaddress
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.web import paths

DEMO_ONLY_HERE = (
    "Token Desk runs in demo mode, where anyone can be anyone, so it answers on this machine only "
    "(localhost). To show the demo to others, set TOKEN_DESK_DEMO=1; keep real tokens out of it.\n"
)
PROXY_ONLY_HERE = (
    "Token Desk takes people's names from a sign-in proxy on its own machine, so it answers on a "
    "loopback address only: anyone who reached it past the proxy could be anyone. Open it at the "
    "proxy's address.\n"
)
_STRANGE_HOST = (
    "Token Desk does not know itself by this address. Whoever runs it can add the host name to "
    "server.allowedHosts (STREAMLIT_SERVER_ALLOWED_HOSTS).\n"
)
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
_YEAR = 365 * 24 * 3600
#: Asked for by machines, at whatever address they have. Nothing that a browser sends along by
#: itself counts there, so a page that calls itself by our name (DNS rebinding) learns nothing.
_FOR_MACHINES = (paths.HEALTH, paths.HEALTHZ, paths.READYZ)


def security_policy(inline_scripts: Sequence[str]) -> str:
    """Return the content security policy; `inline_scripts` are `sha256-…` of Streamlit's page.

    Nothing is loaded from, or sent to, anywhere else, and no script is made from text: Streamlit's
    charts interpret their expressions (looked at in Chromium). Its scripts compile a WebAssembly
    of their own, which is what 'wasm-unsafe-eval' allows, and its widgets write their own styles.
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
    """Add the security headers to every answer, and `no-store` to downloads."""

    def __init__(self, app: ASGIApp, policy: str, *, https: bool = False) -> None:
        """Stand before `app`; `https` tells browsers to come by https only, for a year."""
        self._app = app
        # Of our own pages the address is sent to ourselves alone: it says where a sign-in began.
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
        """Pass everything on, with headers added where an answer starts."""
        download = scope["type"] == "http" and scope["path"].startswith(paths.MEDIA)

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
                if download:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, add)


class LoopbackGate:
    """Refuse a connection whose server address is no loopback address.

    Judged for each connection, since a server can be bound by other means than our settings. A
    proxy on this machine is let through: whoever sets one up opens the desk on purpose. The server
    rewrites the client's address from a proxy's headers, never its own.
    """

    def __init__(self, app: ASGIApp, refusal: str) -> None:
        """Stand before `app`; `refusal` is said to those who are not let through."""
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or close the WebSocket, unless the connection came in on loopback."""
        if scope["type"] == "lifespan" or _is_loopback(scope):
            await self._app(scope, receive, send)
        else:
            await refuse(scope, receive, send, self._refusal)


class OriginGate:
    """Refuse a strange Host, and a WebSocket that another site, or no browser, has opened.

    Streamlit lets a WebSocket without Origin pass, and one from any port of this machine. What
    machines ask is answered under any name.
    """

    def __init__(self, app: ASGIApp, is_known_host: Callable[[str | None], bool]) -> None:
        """Stand before `app`; `is_known_host` judges the Host header."""
        self._app = app
        self._is_known_host = is_known_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or close the WebSocket, unless host and origin are our own."""
        if scope["type"] == "lifespan" or _is_for_machines(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host")
        same = scope["type"] == "http" or _authority(headers.getlist("origin")) == host
        if self._is_known_host(host) and same:
            await self._app(scope, receive, send)
        else:
            await refuse(scope, receive, send, _STRANGE_HOST)


async def refuse(
    scope: Scope, receive: Receive, send: Send, text: str, *, status_code: int = 403
) -> None:
    """Answer with `text`; a WebSocket is closed before it is accepted."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "refused"})
    else:
        await PlainTextResponse(text, status_code=status_code)(scope, receive, send)


def _is_for_machines(scope: Scope) -> bool:
    path = scope["path"]
    return scope["type"] == "http" and (path in _FOR_MACHINES or path.startswith(paths.API))


def _authority(origins: list[str]) -> str:
    """Return host and port of the one Origin; empty when there is none, or more than one."""
    scheme, _, authority = origins[0].partition("://") if len(origins) == 1 else ("", "", "")
    return authority if scheme in {"http", "https"} else ""


def _is_loopback(scope: Scope) -> bool:
    host = (scope.get("server") or ("", None))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
