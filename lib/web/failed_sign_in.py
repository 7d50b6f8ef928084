"""A sign-in that failed at the callback, such as one with an ID token that is refused.

Streamlit then redirects to the sign-in page without a word.
"""

from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.web import paths
from lib.web.cookies import sets_cookie

_SECONDS = 60
#: What the provider sends at the end of a sign-in (RFC 6749, section 4.1.2), and not of a sign-out.
_ENDS = {"code", "error"}


class FailedSignIn:
    """Middleware that sets a cookie for a minute, so that the sign-in page says what happened."""

    def __init__(self, app: ASGIApp, *, signed_in: str, failed: str) -> None:
        """Wrap `app`. `signed_in` and `failed` are names of cookies: of a sign-in, and ours."""
        self._app = app
        self._signed_in = signed_in
        self._cookie = f"{failed}=1; Max-Age={_SECONDS}; Path=/; HttpOnly; SameSite=Lax"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and add the cookie to a callback that signs nobody in."""

        async def note(message: Message) -> None:
            starts = message["type"] == "http.response.start"
            if starts and not sets_cookie(message, self._signed_in):
                MutableHeaders(scope=message).append("set-cookie", self._cookie)
            await send(message)

        query = scope.get("query_string", b"").decode("latin-1")
        at_end = scope["type"] == "http" and scope["path"] == paths.CALLBACK
        ends = at_end and not _ENDS.isdisjoint(parse_qs(query, keep_blank_values=True))
        await self._app(scope, receive, note if ends else send)
