"""The route of the sign-out ends the sign-in before the cookie goes."""

import asyncio

import pytest

from lib.domain.errors import DatabaseUnavailableError
from lib.web.sign_out import STILL_IN, SignOut


def visit(path: str, *, error: Exception | None = None) -> tuple[list[str], list[dict]]:
    """Ask for a path; return what happened in turn, and what was sent."""
    happened, sent = [], []

    def end(_connection) -> None:
        happened.append("ended")
        if error:
            raise error

    async def app(_scope, _receive, _send):
        happened.append("passed on")

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    asyncio.run(SignOut(app, end, cookie="_streamlit_user")(scope, None, send))
    return happened, sent


def come_back(cookie: bytes, *, error: Exception | None = None) -> list[str]:
    """Come back from the provider and be given `cookie`; return what happened in turn."""
    happened = []

    def end(_connection) -> None:
        happened.append("ended")
        if error:
            raise error

    async def app(_scope, _receive, send):
        headers = [(b"location", b"/"), (b"set-cookie", cookie)]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        happened.append(str(message.get("status", "body")))

    scope = {"type": "http", "method": "GET", "path": "/oauth2callback", "headers": []}
    asyncio.run(SignOut(app, end, cookie="_streamlit_user")(scope, None, send))
    return happened


class TestANewSignIn:
    """A browser has one sign-in: a new one takes the place of the one before."""

    def test_the_one_before_ends_when_the_new_cookie_is_given(self):
        """Another tab may still have it, and signing out would end the new one only."""
        assert come_back(b"_streamlit_user=signed; Path=/") == ["ended", "302", "body"]

    @pytest.mark.parametrize(
        "cookie",
        [b'_streamlit_user=""; Max-Age=0', b"_streamlit_user_1=x", b"_streamlit_session=x"],
    )
    def test_it_stays_when_the_new_one_fails(self, cookie):
        """Anybody can send a browser to the callback with an error."""
        assert come_back(cookie) == ["302", "body"]

    def test_without_a_database_the_new_one_is_not_given(self):
        """As the sign-out."""
        assert come_back(b"_streamlit_user=x", error=DatabaseUnavailableError()) == [
            "ended",
            "503",
            "body",
        ]


class TestSignOut:
    """First the row, then the cookie."""

    def test_the_sign_in_ends_before_the_cookie_goes(self):
        """A copy of the cookie is worth nothing from then on."""
        assert visit("/auth/logout") == (["ended", "passed on"], [])

    def test_without_a_database_both_stay(self):
        """503 and a sentence; a cookie that is gone could not be used to try again."""
        happened, (start, body) = visit("/auth/logout", error=DatabaseUnavailableError())
        assert (happened, start["status"]) == (["ended"], 503)
        assert body["body"].decode() == STILL_IN

    @pytest.mark.parametrize("path", ["/auth/login", "/", "/oauth2callback", "/auth/logout/"])
    def test_other_addresses_end_nothing(self, path):
        """They pass."""
        assert visit(path) == (["passed on"], [])
