"""The cookies of a sign-in: their name, and which of the provider's tokens they keep."""

from typing import Any

from starlette.responses import Response
from streamlit.web.server.starlette import starlette_auth_routes
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

#: Name of the cookie with the claims of the signed-in person.
USER_COOKIE = USER_COOKIE_NAME

_KEPT = "id_token"  # Streamlit's sign-out sends it to the provider as a hint
_set_auth_cookie = starlette_auth_routes._set_auth_cookie  # noqa: SLF001


async def _without_access_token(
    response: Response, user_info: dict[str, Any], tokens: dict[str, Any]
) -> None:
    """Set the cookies of a sign-in without the access token.

    Token Desk does not need it, and a thief of the cookie could use it: the cookie is signed, but
    not encrypted.
    """
    kept = {name: token for name, token in tokens.items() if name == _KEPT}
    await _set_auth_cookie(response, user_info, kept)


def drop_access_tokens() -> None:
    """Keep only the ID token in the cookies, from the next sign-in on."""
    starlette_auth_routes._set_auth_cookie = _without_access_token  # noqa: SLF001
