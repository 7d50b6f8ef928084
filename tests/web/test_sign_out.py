"""A sign-out ends the sign-in before the cookie is deleted."""

import asyncio

import pytest

from lib.domain.errors import DatabaseUnavailableError
from lib.web.sign_out import STILL_IN, SignOut


def visit(path: str, *, error: Exception | None = None) -> tuple[list[str], list[dict]]:
    """Request a path. Return the steps in order, and what was sent."""
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
    """Return from the provider and get `cookie`. Return the steps in order."""
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
    """A browser has one sign-in: a new one replaces the one before."""

    def test_the_sign_in_before_ends_when_a_new_cookie_is_set(self):
        """Another tab may still use it."""
        assert come_back(b"_streamlit_user=signed; Path=/") == ["ended", "302", "body"]

    @pytest.mark.parametrize(
        "cookie",
        [b'_streamlit_user=""; Max-Age=0', b"_streamlit_user_1=x", b"_streamlit_session=x"],
    )
    def test_the_sign_in_before_stays_when_the_new_one_fails(self, cookie):
        """Anybody can send a browser to the callback with an error."""
        assert come_back(cookie) == ["302", "body"]

    def test_a_new_cookie_is_not_set_without_a_database(self):
        """The response is 503."""
        assert come_back(b"_streamlit_user=x", error=DatabaseUnavailableError()) == [
            "ended",
            "503",
            "body",
        ]


class TestSignOut:
    """The row ends first, then the cookie is deleted."""

    def test_a_sign_out_ends_the_sign_in_before_the_cookie(self):
        """A copy of the cookie does not work any more."""
        assert visit("/auth/logout") == (["ended", "passed on"], [])

    def test_a_sign_out_without_a_database_is_503_and_keeps_the_cookie(self):
        """So that the person can try again."""
        happened, (start, body) = visit("/auth/logout", error=DatabaseUnavailableError())
        assert (happened, start["status"]) == (["ended"], 503)
        assert body["body"].decode() == STILL_IN

    @pytest.mark.parametrize("path", ["/auth/login", "/", "/oauth2callback", "/auth/logout/"])
    def test_other_paths_end_no_sign_in(self, path):
        """They pass."""
        assert visit(path) == (["passed on"], [])
