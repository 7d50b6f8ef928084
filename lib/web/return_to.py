"""A deep link survives the sign-in: the address where it began is kept in a cookie meanwhile.

Streamlit's sign-in always ends at the root. The address that the browser names as its referrer when
it leaves for the sign-in is kept for ten minutes, for the callback's eyes only, and nothing but a
page of our own comes out of it again.
"""

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.web import paths

COOKIE = "token_desk_return_to"
_MINUTES_10 = 600
# A page's path has one segment, and a place's parameters are plain ids: nothing else is kept, so
# neither another host nor a header's end can be written this way.
_OWN_PAGE = re.compile(r"/[A-Za-z0-9-]{1,64}(\?[A-Za-z0-9_.~=&%+-]{0,400})?")
_FOUND = range(302, 304)


class ReturnTo:
    """Keep where a sign-in began, and end it there."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """Stand before `app`; `https` keeps the cookie to encrypted connections."""
        self._app = app
        self._secure = "; Secure" if https else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the cookie where a sign-in leaves, and use it where one comes back."""
        if scope["type"] != "http" or scope["path"] not in {paths.LOGIN, paths.CALLBACK}:
            await self._app(scope, receive, send)
            return
        leaving = scope["path"] == paths.LOGIN
        page = _came_from(scope) if leaving else _kept(scope)

        async def change(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _FOUND:
                headers = MutableHeaders(scope=message)
                if leaving and page:
                    headers.append("set-cookie", self._cookie(page, _MINUTES_10))
                elif not leaving:
                    if page and headers.get("location") == "/":
                        headers["location"] = page
                    headers.append("set-cookie", self._cookie("", 0))
            await send(message)

        await self._app(scope, receive, change)

    def _cookie(self, value: str, seconds: int) -> str:
        return (
            f'{COOKIE}="{value}"; Max-Age={seconds}; Path={paths.CALLBACK}; HttpOnly; SameSite=Lax'
            f"{self._secure}"
        )


def _came_from(scope: Scope) -> str:
    """Return the page of our own that the browser comes from, or nothing."""
    headers = Headers(scope=scope)
    url = urlsplit(headers.get("referer", ""))
    if not url.netloc or url.netloc != headers.get("host"):
        return ""
    return _own_page(f"{url.path}?{url.query}" if url.query else url.path)


def _kept(scope: Scope) -> str:
    return _own_page(HTTPConnection(scope).cookies.get(COOKIE, ""))


def _own_page(page: str) -> str:
    return page if _OWN_PAGE.fullmatch(page) else ""
