"""What every connection passes before Streamlit: the demo's loopback gate and the headers."""

import ipaddress

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REFUSAL = (
    "Token Desk runs in demo mode, where anyone can be anyone, so it answers on this machine only "
    "(localhost). To show the demo to others, set TOKEN_DESK_DEMO=1; keep real tokens out of it.\n"
)

# Scripts: Streamlit's own page has inline scripts, and the charts compile expressions.
_POLICY = (
    "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; "
    "font-src 'self' data:; "
    "connect-src 'self' ws: wss: data: blob:; "
    "worker-src 'self' blob:; "
    "object-src 'none'; "
    "base-uri 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'"
)

_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class LoopbackGate:
    """Refuse a connection whose server address is no loopback address.

    Judged for each connection, since a server can be bound by other means than our settings. A
    proxy on this machine is let through: whoever sets one up opens the demo on purpose.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or close the WebSocket, unless the connection came in on loopback."""
        if scope["type"] == "lifespan" or _is_loopback(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "demo mode"})
        else:
            await PlainTextResponse(_REFUSAL, status_code=403)(scope, receive, send)


class SecurityHeaders:
    """Add the security headers to every answer, and `no-store` to downloads."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with headers added where an answer starts."""
        download = scope["type"] == "http" and scope["path"].startswith("/media/")

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
                if download:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, add)


def _is_loopback(scope: Scope) -> bool:
    host = (scope.get("server") or ("", None))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
