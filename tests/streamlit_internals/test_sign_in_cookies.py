"""What the cookies of a sign-in keep."""

import asyncio
import json
import time

import pytest
from starlette.responses import Response
from streamlit.web.server.starlette import starlette_auth_routes
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from lib.streamlit_internals import sign_in_cookies

TOKENS = "_streamlit_user_tokens"
FIELD = "signed_in_at"
SECRET = "cookie-secret-of-these-tests-alone"  # noqa: S105 - of nothing else


@pytest.fixture
def _cookies(monkeypatch) -> None:
    """Streamlit's own routes with a test key, restored at the end."""
    for name in ("_set_auth_cookie", "get_cookie_secret"):
        monkeypatch.setattr(starlette_auth_routes, name, getattr(starlette_auth_routes, name))
    monkeypatch.setattr(starlette_auth_routes, "get_cookie_secret", lambda: SECRET)


def cookie_after_sign_in(
    name: str, tokens: dict[str, str], origin: str = "https://desk.example.com"
) -> dict:
    """Return the content of a cookie of a sign-in."""
    response = Response()
    user = {"sub": "mhale", "origin": origin, FIELD: 1}
    asyncio.run(starlette_auth_routes._set_auth_cookie(response, user, tokens))
    cookies = dict(
        cookie.partition(";")[0].split("=", 1) for cookie in response.headers.getlist("set-cookie")
    )
    signed = cookies[name].strip('"').encode()
    return json.loads(decode_signed_value(SECRET, name, signed))


@pytest.mark.usefixtures("_cookies")
class TestChangeCookies:
    """Of the tokens only the ID token stays; the claims get the time of the callback."""

    def test_streamlit_itself_keeps_the_access_token(self):
        """When it stops doing so, half of this module can be deleted."""
        tokens = {"id_token": "id", "access_token": "access"}
        assert cookie_after_sign_in(TOKENS, tokens) == tokens

    @pytest.mark.parametrize("more", [{"access_token": "a"}, {"refresh_token": "r"}, {}])
    def test_only_the_id_token_is_kept(self, more):
        """The sign-out sends it as a hint. Whatever else the provider sends is dropped."""
        sign_in_cookies.change_cookies(FIELD)
        assert cookie_after_sign_in(TOKENS, {"id_token": "id", **more}) == {"id_token": "id"}

    def test_the_claims_get_the_time_of_the_callback(self):
        """A claim of the same name is replaced."""
        sign_in_cookies.change_cookies(FIELD)
        before = time.time_ns() // 1_000_000
        claims = cookie_after_sign_in(sign_in_cookies.USER_COOKIE, {})
        assert before <= claims[FIELD] <= time.time_ns() // 1_000_000

    @pytest.mark.parametrize(
        ("origin", "written"),
        [
            ("https://desk.example.com:443", "https://desk.example.com"),
            ("http://localhost:80", "http://localhost"),
            ("https://desk.example.com:8443", "https://desk.example.com:8443"),
            ("https://desk.example.com:80", "https://desk.example.com:80"),
            ("https://desk.example.com", "https://desk.example.com"),
        ],
    )
    def test_the_origin_is_written_as_browsers_write_it(self, origin, written):
        """Streamlit compares it with the Origin of the WebSocket."""
        sign_in_cookies.change_cookies(FIELD)
        claims = cookie_after_sign_in(sign_in_cookies.USER_COOKIE, {}, origin)
        assert claims["origin"] == written

    def test_the_callback_looks_the_function_up_by_this_name(self):
        """Streamlit's callback calls the replaced name."""
        assert "_set_auth_cookie" in starlette_auth_routes._auth_callback.__code__.co_names
