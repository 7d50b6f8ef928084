"""Cookies of responses: which are set, their lifetime, and `Secure` over https."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MAX_AGE = re.compile(rb"(?<=max-age=)\d+", re.IGNORECASE)
_SECURE = re.compile(rb";\s*secure\b", re.IGNORECASE)


def sets_cookie(start: Message, name: str) -> bool:
    """Tell whether the start of a response sets a cookie to a value that is not empty."""
    cookies = [value for key, value in start["headers"] if key.lower() == b"set-cookie"]
    begin = f"{name}=".encode()
    return any(c.startswith(begin) and not c.startswith(begin + b'""') for c in cookies)


class CookieLimits:
    """Middleware that changes every cookie of a response: it ends with the sign-in, and is Secure.

    Streamlit's own cookies live for 30 days and are not Secure.
    """

    def __init__(self, app: ASGIApp, *, seconds: int, https: bool) -> None:
        """Wrap `app`. `Max-Age` of a cookie is at most `seconds`; session cookies stay as they are.

        With `https`, every cookie is Secure; otherwise only those of https requests.
        """
        self._app = app
        self._seconds = seconds
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and change the cookies in the response."""
        https = self._https or scope.get("scheme") == "https"

        async def change(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self._limited(value, https) if name.lower() == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, change)

    def _limited(self, cookie: bytes, https: bool) -> bytes:  # noqa: FBT001 - the request's scheme
        shorter = _MAX_AGE.sub(lambda age: b"%d" % min(int(age[0]), self._seconds), cookie)
        return shorter if not https or _SECURE.search(shorter) else shorter + b"; Secure"
