"""The cookies of a sign-in: their names, and what they keep."""

import time
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response
from streamlit.web.server.starlette import starlette_auth_routes
from streamlit.web.server.starlette.starlette_server_config import (
    SESSION_COOKIE_NAME,
    USER_COOKIE_NAME,
)

#: Name of the cookie with the claims of the signed-in person.
USER_COOKIE = USER_COOKIE_NAME
#: Name of the cookie with the state of a sign-in that has begun and not ended.
STATE_COOKIE = SESSION_COOKIE_NAME

_KEPT = "id_token"  # Streamlit's sign-out sends it to the provider as a hint
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_set_auth_cookie = starlette_auth_routes._set_auth_cookie  # noqa: SLF001


def change_cookies(signed_in_at: str) -> None:
    """Change the cookies of each sign-in from now on.

    The claims get a field `signed_in_at`: the time in milliseconds since 1970. The access token is
    dropped, since Token Desk needs it no more, and a thief of the cookie could use it: the cookie
    is signed, but not encrypted.
    """

    async def set_cookies(
        response: Response, user_info: dict[str, Any], tokens: dict[str, Any]
    ) -> None:
        origin = as_browsers_write(str(user_info.get("origin", "")))
        now = time.time_ns() // 1_000_000
        kept = {name: token for name, token in tokens.items() if name == _KEPT}
        await _set_auth_cookie(response, {**user_info, "origin": origin, signed_in_at: now}, kept)

    starlette_auth_routes._set_auth_cookie = set_cookies  # noqa: SLF001


def as_browsers_write(origin: str) -> str:
    """Return an origin without the scheme's default port, as a browser's `Origin` header has it.

    Streamlit compares that header with the origin of the redirect URI, letter by letter.
    """
    return origin.removesuffix(_DEFAULT_PORTS.get(urlsplit(origin).scheme, ":"))
