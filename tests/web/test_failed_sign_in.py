"""A callback that signs nobody in says so."""

import pytest

from lib.web.failed_sign_in import FailedSignIn
from tests.web.test_security_middleware import headers_of, send_through

COOKIE = "failed=1; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"


def cookies_of(query: str, *sent: str, path: str = "/oauth2callback", kind: str = "http"):
    """Return the cookies that the browser gets from a callback that sets `sent`."""

    async def app(_scope, _receive, send) -> None:
        headers = [(b"set-cookie", cookie.encode()) for cookie in sent]
        await send({"type": f"{kind}.response.start", "status": 302, "headers": headers})

    gate = FailedSignIn(app, signed_in="user", failed="failed")
    answer = send_through(gate, type=kind, path=path, query_string=query.encode())
    return [value for _, value in headers_of(answer)]


class TestFailedSignIn:
    """The sign-in page reads the cookie."""

    @pytest.mark.parametrize("query", ["code=c&state=s", "error=access_denied&state=s", "code="])
    @pytest.mark.parametrize("sent", [[], ['user=""; Max-Age=0'], ["username=x"]])
    def test_a_callback_without_a_sign_in_sets_the_cookie(self, query, sent):
        """Streamlit deletes the cookie of an earlier sign-in then."""
        assert cookies_of(query, *sent) == [*sent, COOKIE]

    def test_a_sign_in_does_not_set_the_cookie(self):
        """It sets its own."""
        assert cookies_of("code=c&state=s", "user=x; Path=/") == ["user=x; Path=/"]

    @pytest.mark.parametrize("query", ["", "state=s"])
    def test_the_way_back_from_a_sign_out_does_not_set_the_cookie(self, query):
        """The provider sends people there too."""
        assert cookies_of(query) == []

    def test_other_paths_and_websockets_are_unchanged(self):
        """Whatever their query is."""
        assert cookies_of("code=c", path="/help") == []
        assert cookies_of("code=c", kind="websocket") == []
