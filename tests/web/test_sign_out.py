"""The route of the sign-out ends the sign-in before the cookie goes."""

import asyncio

import pytest

from lib.domain.errors import StoreUnavailable
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
    asyncio.run(SignOut(app, end)(scope, None, send))
    return happened, sent


class TestSignOut:
    """First the row, then the cookie."""

    def test_the_sign_in_ends_before_the_cookie_goes(self):
        """A copy of the cookie is worth nothing from then on."""
        assert visit("/auth/logout") == (["ended", "passed on"], [])

    def test_without_a_database_both_stay(self):
        """503 and a sentence; a cookie that is gone could not be used to try again."""
        happened, (start, body) = visit("/auth/logout", error=StoreUnavailable())
        assert (happened, start["status"]) == (["ended"], 503)
        assert body["body"].decode() == STILL_IN

    @pytest.mark.parametrize("path", ["/auth/login", "/", "/oauth2callback", "/auth/logout/"])
    def test_other_addresses_end_nothing(self, path):
        """They pass."""
        assert visit(path) == (["passed on"], [])
