"""Sign-ins that begin in several tabs at once: each has its own cookies, so all of them end inside.

A sign-in leaves cookies in the browser, and needs them again at the callback. Streamlit's own has
one name for all sign-ins, so a second tab would replace what the first one needs. This middleware
adds the sign-in's `state`, which the provider returns (RFC 6749, section 4.1.1), to the names.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.web import paths

_STATE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PATH = re.compile(r";\s*path=[^;]*", re.IGNORECASE)
_AGE = re.compile(r";\s*max-age=(\d+)", re.IGNORECASE)
_LONGEST = 3600  # seconds; Authlib takes no older state either


class SignInTabs:
    """Middleware that gives each sign-in its own copy of the `cookies`, at the callback only."""

    def __init__(self, app: ASGIApp, cookies: Sequence[str]) -> None:
        """Wrap `app`. `cookies` are the names that one sign-in must not take from another."""
        self._app = app
        self._cookies = tuple(cookies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the state to the cookies' names at the login, and remove it at the callback."""
        if scope["type"] != "http" or scope["path"] not in {paths.LOGIN, paths.CALLBACK}:
            await self._app(scope, receive, send)
            return
        at_callback = scope["path"] == paths.CALLBACK
        asked = _state_of(scope["query_string"].decode("latin-1")) if at_callback else ""
        scope = self._with_cookies_of(scope, asked)

        async def rename(message: Message) -> None:
            if message["type"] == "http.response.start":
                location = Headers(raw=message["headers"]).get("location", "")
                state = asked if at_callback else _state_of(urlsplit(location).query)
                message["headers"] = [
                    (name, self._renamed(value, state) if name.lower() == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, rename)

    def _with_cookies_of(self, scope: Scope, state: str) -> Scope:
        """Return `scope` with the cookies of one sign-in under their own names; the others go."""
        sent = "; ".join(Headers(scope=scope).getlist("cookie"))
        kept = []
        for pair in filter(None, (pair.strip() for pair in sent.split(";"))):
            name, _, value = pair.partition("=")
            base, _, of = name.rpartition(".")
            if base in self._cookies and of == state:
                kept.append(f"{base}={value}")
            elif base not in self._cookies and name not in self._cookies:
                kept.append(pair)
        changed = dict(scope, headers=list(scope["headers"]))
        MutableHeaders(scope=changed)["cookie"] = "; ".join(kept)
        return changed

    def _renamed(self, cookie: bytes, state: str) -> bytes:
        name, _, rest = cookie.decode("latin-1").partition("=")
        if name not in self._cookies or not state:
            return cookie
        value, semicolon, attributes = rest.partition(";")
        attributes = _AGE.sub(
            lambda age: f"; Max-Age={min(int(age[1]), _LONGEST)}", semicolon + attributes
        )
        path = f"; Path={paths.CALLBACK}"
        return f"{name}.{state}={value}{path}{_PATH.sub('', attributes)}".encode("latin-1")


def _state_of(query: str) -> str:
    """Return the one `state` of a query string; empty without one that can be in a name."""
    found = parse_qs(query).get("state", [])
    return found[0] if len(found) == 1 and _STATE.fullmatch(found[0]) else ""
