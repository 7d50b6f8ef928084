"""Return to the page where a sign-in was started. A cookie keeps the page during the sign-in.

Streamlit's sign-in always ends at the root. This middleware keeps the page, which the browser
names as its referrer, in a cookie for ten minutes. The cookie is sent to the callback only, and
only the path of one of our own pages is accepted from it.
"""

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.web import paths
from lib.web.origins import same_host

COOKIE = "token_desk_return_to"
_MINUTES_10 = 600
# The path of a page has one segment, and its parameters are plain ids. Nothing else is accepted, so
# the value can name no other host and contain no end of a header.
_OWN_PAGE = re.compile(r"/[A-Za-z0-9-]{1,64}(\?[A-Za-z0-9_.~=&%+-]{0,400})?")
_FOUND = range(302, 304)


class ReturnTo:
    """Middleware that keeps the page where a sign-in started, and redirects to it at the end."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """Wrap `app`. With `https` the cookie is Secure."""
        self._app = app
        self._secure = "; Secure" if https else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the cookie at the login, and use and delete it at the callback."""
        if scope["type"] != "http" or scope["path"] not in {paths.LOGIN, paths.CALLBACK}:
            await self._app(scope, receive, send)
            return
        starts_login = scope["path"] == paths.LOGIN
        page = _referring_page(scope) if starts_login else _page_of_cookie(scope)

        async def change(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _FOUND:
                headers = MutableHeaders(scope=message)
                if starts_login and page:
                    headers.append("set-cookie", self._cookie(page, _MINUTES_10))
                elif not starts_login:
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


def _referring_page(scope: Scope) -> str:
    """Return our own page that the browser comes from; empty when it comes from elsewhere."""
    headers = Headers(scope=scope)
    url = urlsplit(headers.get("referer", ""))
    if not same_host(url.scheme, url.netloc, headers.get("host", "")):
        return ""
    return _own_page(f"{url.path}?{url.query}" if url.query else url.path)


def _page_of_cookie(scope: Scope) -> str:
    return _own_page(HTTPConnection(scope).cookies.get(COOKIE, ""))


def _own_page(page: str) -> str:
    return page if _OWN_PAGE.fullmatch(page) else ""
