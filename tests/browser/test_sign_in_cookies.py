"""The cookies of a real sign-in, and its end at the address of the sign-out."""

import json
import time

import pytest
from itsdangerous import URLSafeTimedSerializer

from tests.browser.signing_in import (
    COOKIE_SECRET,
    TOKENS,
    USER_COOKIE,
    asks_to_sign_in,
    cookie_of,
    events,
    put_cookie,
    sign_in,
    step,
)

pytestmark = pytest.mark.browser

TOKENS_COOKIE = "_streamlit_user_tokens"
HOUR = 3600
SESSION_HOURS = 12  # the default of TOKEN_DESK_SESSION_HOURS


class TestCookies:
    """What the browser has after a sign-in at a provider."""

    def test_they_live_as_long_as_a_sign_in_and_have_no_access_token(self, desk, new_tab):
        """Streamlit alone gives them 30 days, and both tokens."""
        tab = new_tab(desk.address)
        tab.open(TOKENS)
        sign_in(tab, "mhale")
        cookies = {c["name"]: c for c in tab.page.context.cookies()}
        lives = [cookies[name]["expires"] - time.time() for name in (USER_COOKIE, TOKENS_COOKIE)]
        step(f"the cookies live {[f'{seconds / HOUR:.1f} hours' for seconds in lives]}")
        assert all(SESSION_HOURS - 1 < seconds / HOUR <= SESSION_HOURS for seconds in lives)
        serializer = URLSafeTimedSerializer(COOKIE_SECRET, salt=TOKENS_COOKIE)
        tokens = json.loads(serializer.loads(cookies[TOKENS_COOKIE]["value"]))
        assert set(tokens) == {"id_token"}


class TestTheAddressOfTheSignOut:
    """`/auth/logout`, as a page of ours or a person opens it."""

    def test_a_copied_cookie_is_refused_when_the_address_was_opened(self, desk, signed_in, new_tab):
        """The row ends before the cookie goes."""
        cookie = cookie_of(signed_in.page.context)
        step("a thief copies the cookie, and has the page")
        thief = new_tab(desk.address)
        put_cookie(thief.page.context, cookie, cookie["value"])
        thief.open(TOKENS)
        thief.heading("Recipient API Tokens")
        before = events(desk, "mhale")
        step("the person opens /auth/logout")
        signed_in.page.goto(f"{desk.address}/auth/logout")
        assert events(desk, "mhale") == [*before, ("sign-out", "")]
        step("the copy is worth nothing")
        thief.open(TOKENS)
        asks_to_sign_in(thief)
