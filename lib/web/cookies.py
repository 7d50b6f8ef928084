"""How long a cookie lives, and that it is sent over https only."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MAX_AGE = re.compile(rb"(?<=max-age=)\d+", re.IGNORECASE)
_SECURE = re.compile(rb";\s*secure\b", re.IGNORECASE)


class CookieLimits:
    """Change every cookie that an answer sets: it ends with the sign-in, and is for https only.

    Streamlit gives its own 30 days, and leaves `Secure` out.
    """

    def __init__(self, app: ASGIApp, *, seconds: int, https: bool) -> None:
        """Stand before `app`; no cookie lives longer than `seconds`, those until closing aside."""
        self._app = app
        self._seconds = seconds
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the cookies changed where an answer starts."""
        https = self._https or scope.get("scheme") == "https"

        async def change(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self._limited(value, https) if name.lower() == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, change)

    def _limited(self, cookie: bytes, https: bool) -> bytes:  # noqa: FBT001 - how it was asked
        shorter = _MAX_AGE.sub(lambda age: b"%d" % min(int(age[0]), self._seconds), cookie)
        return shorter if not https or _SECURE.search(shorter) else shorter + b"; Secure"
