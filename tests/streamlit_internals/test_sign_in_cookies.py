"""Which of the provider's tokens stay in the browser."""

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
    """Streamlit's routes as they are, with a key of ours, put back at the end."""
    for name in ("_set_auth_cookie", "get_cookie_secret"):
        monkeypatch.setattr(starlette_auth_routes, name, getattr(starlette_auth_routes, name))
    monkeypatch.setattr(starlette_auth_routes, "get_cookie_secret", lambda: SECRET)


def tokens_after_sign_in(tokens: dict[str, str]) -> dict[str, str]:
    """Return which tokens the cookies of a sign-in hold."""
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
    """Only the ID token stays, which the sign-out sends as a hint."""

    def test_without_it_the_access_token_is_in_the_cookie(self):
        """What Streamlit does; when it stops, this module can go."""
        tokens = {"id_token": "id", "access_token": "access"}
        assert tokens_after_sign_in(tokens) == tokens

    @pytest.mark.parametrize("more", [{"access_token": "a"}, {"refresh_token": "r"}, {}])
    def test_with_it_only_the_id_token_is(self, more):
        """Whatever else the provider gives."""
        sign_in_cookies.drop_access_tokens()
        assert tokens_after_sign_in({"id_token": "id", **more}) == {"id_token": "id"}

    def test_the_callback_looks_the_function_up_by_this_name(self):
        """The seam: Streamlit's callback calls the module's own name."""
        assert "_set_auth_cookie" in starlette_auth_routes._auth_callback.__code__.co_names
