"""Each tab's sign-in has cookies of its own."""

import pytest

from lib.web.sign_in_tabs import SignInTabs
from tests.web.test_security_middleware import headers_of, send_through

NAMES = ("_streamlit_session", "token_desk_return_to")
SET = "_streamlit_session=abc.def; path=/; Max-Age=43200; httponly"


class Recording:
    """An application that records the cookies of the request, redirects and sets some."""

    def __init__(self, location: str, *cookies: str) -> None:
        """Answer with these."""
        self._headers = [(b"location", location.encode())]
        self._headers += [(b"set-cookie", cookie.encode()) for cookie in cookies]
        self.sent: list[str] = []

    async def __call__(self, scope, _receive, send) -> None:
        """Answer."""
        self.sent = [v.decode() for name, v in scope["headers"] if name == b"cookie"]
        await send({"type": "http.response.start", "status": 302, "headers": self._headers})
        await send({"type": "http.response.body", "body": b""})


def through(app: Recording, path: str, query: str = "", cookie: str = "") -> list[str]:
    """Send a request. Return the cookies that the browser gets."""
    headers = [(b"cookie", cookie.encode())] if cookie else []
    scope = {"path": path, "query_string": query.encode(), "headers": headers}
    answer = send_through(SignInTabs(app, NAMES), type="http", **scope)
    return [value for name, value in headers_of(answer) if name == "set-cookie"]


class TestSignInTabs:
    """The state of the provider's address is in the name."""

    def test_a_login_sets_cookies_of_its_own_for_the_callback_only(self):
        """For an hour at most; other cookies stay as they are."""
        app = Recording(
            "https://id.example.com/authorize?state=first&nonce=x",
            SET,
            'token_desk_return_to="/help"; Max-Age=600; Path=/oauth2callback; HttpOnly',
            "other=1; Path=/",
        )
        assert through(app, "/auth/login", cookie="_streamlit_session=old; a=b") == [
            "_streamlit_session.first=abc.def; Path=/oauth2callback; Max-Age=3600; httponly",
            'token_desk_return_to.first="/help"; Path=/oauth2callback; Max-Age=600; HttpOnly',
            "other=1; Path=/",
        ]
        assert app.sent == ["a=b"]

    def test_a_callback_gets_only_the_cookies_of_its_own_state(self):
        """Those that it deletes are its own, too."""
        app = Recording("/", "_streamlit_session=null; path=/; expires=Thu, 01 Jan 1970")
        cookie = (
            "_streamlit_session.first=1; _streamlit_session.second=2; a=b;"
            ' token_desk_return_to.second="/help"; _streamlit_session=0; _streamlit_user=u'
        )
        deleted = through(app, "/oauth2callback", "code=c&state=second", cookie)
        assert app.sent == [
            '_streamlit_session=2; a=b; token_desk_return_to="/help"; _streamlit_user=u'
        ]
        assert deleted == [
            "_streamlit_session.second=null; Path=/oauth2callback; expires=Thu, 01 Jan 1970"
        ]

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "code=c",
            "state=",
            "state=third",
            "state=first&state=first",
            "state=a;b",
            "state=%0d",
        ],
    )
    def test_a_callback_of_another_state_gets_no_cookies_of_a_sign_in(self, query):
        """It ends at the sign-in page."""
        app = Recording("/")
        assert through(app, "/oauth2callback", query, "_streamlit_session.first=1; a=b") == []
        assert app.sent == ["a=b"]

    def test_other_paths_are_unchanged(self):
        """Only these two use the cookies."""
        app = Recording("/", SET)
        assert through(app, "/help", "state=first", "_streamlit_session=1") == [SET]
        assert app.sent == ["_streamlit_session=1"]
