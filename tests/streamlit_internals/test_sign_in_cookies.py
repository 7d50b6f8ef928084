"""Which of the identity provider's tokens stay in the browser."""

import asyncio
import json

import pytest
from starlette.responses import Response
from streamlit.web.server.starlette import starlette_auth_routes
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from lib.streamlit_internals import sign_in_cookies

SECRET = "cookie-secret-of-these-tests-alone"  # noqa: S105 - of nothing else


@pytest.fixture
def _cookies(monkeypatch) -> None:
    """Streamlit's own routes with a test key, restored at the end."""
    for name in ("_set_auth_cookie", "get_cookie_secret"):
        monkeypatch.setattr(starlette_auth_routes, name, getattr(starlette_auth_routes, name))
    monkeypatch.setattr(starlette_auth_routes, "get_cookie_secret", lambda: SECRET)


def tokens_after_sign_in(tokens: dict[str, str]) -> dict[str, str]:
    """Return the names of the tokens in the cookies of a sign-in."""
    response = Response()
    asyncio.run(starlette_auth_routes._set_auth_cookie(response, {"sub": "mhale"}, tokens))
    cookies = dict(
        cookie.partition(";")[0].split("=", 1) for cookie in response.headers.getlist("set-cookie")
    )
    name = "_streamlit_user_tokens"
    signed = cookies[name].strip('"').encode()
    return json.loads(decode_signed_value(SECRET, name, signed))


@pytest.mark.usefixtures("_cookies")
class TestDropAccessTokens:
    """Only the ID token stays. The sign-out sends it as a hint."""

    def test_streamlit_itself_keeps_the_access_token(self):
        """When it stops doing so, this module can be deleted."""
        tokens = {"id_token": "id", "access_token": "access"}
        assert tokens_after_sign_in(tokens) == tokens

    @pytest.mark.parametrize("more", [{"access_token": "a"}, {"refresh_token": "r"}, {}])
    def test_only_the_id_token_is_kept(self, more):
        """Whatever else the provider sends."""
        sign_in_cookies.drop_access_tokens()
        assert tokens_after_sign_in({"id_token": "id", **more}) == {"id_token": "id"}

    def test_the_callback_looks_the_function_up_by_this_name(self):
        """Streamlit's callback calls the replaced name."""
        assert "_set_auth_cookie" in starlette_auth_routes._auth_callback.__code__.co_names
