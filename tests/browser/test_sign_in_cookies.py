"""The cookies of a real sign-in, and its end at the address of the sign-out."""

import json
import time

import pytest
from itsdangerous import URLSafeTimedSerializer

from tests.support.sign_in import COOKIE_SECRET, USER_COOKIE, cookies_of, events, step
from tests.support.websocket_client import open_websocket_with, text_of_page

pytestmark = pytest.mark.browser

TOKENS_COOKIE = "_streamlit_user_tokens"
HOUR = 3600
SESSION_HOURS = 12  # the default of TOKEN_DESK_SESSION_HOURS


class TestCookies:
    """What the browser has after a sign-in at a provider."""

    def test_cookies_live_as_long_as_a_sign_in_and_have_no_access_token(self, admin_tab):
        """Streamlit alone gives them 30 days, and both tokens."""
        cookies = {c["name"]: c for c in admin_tab.page.context.cookies()}
        lives = [cookies[name]["expires"] - time.time() for name in (USER_COOKIE, TOKENS_COOKIE)]
        step(f"the cookies live {[f'{seconds / HOUR:.1f} hours' for seconds in lives]}")
        assert all(SESSION_HOURS - 1 < seconds / HOUR <= SESSION_HOURS for seconds in lives)
        serializer = URLSafeTimedSerializer(COOKIE_SECRET, salt=TOKENS_COOKIE)
        tokens = json.loads(serializer.loads(cookies[TOKENS_COOKIE]["value"]))
        assert set(tokens) == {"id_token"}


class TestTheAddressOfTheSignOut:
    """`/auth/logout`, as a page of ours or a person opens it."""

    def test_a_copied_cookie_is_refused_after_the_address_was_opened(self, oidc_server, admin_tab):
        """The row ends before the cookie goes."""
        copied = cookies_of(admin_tab.page.context)
        step("a thief copies the cookies, and has the page")
        with open_websocket_with(oidc_server.address, copied) as thief:
            assert "Juniper County Recorder" in text_of_page(thief, "organizations")
        before = events(oidc_server, "mhale")
        step("the person opens /auth/logout")
        admin_tab.page.goto(f"{oidc_server.address}/auth/logout")
        assert events(oidc_server, "mhale") == [*before, ("sign-out", "")]
        step("the copy is worth nothing")
        with open_websocket_with(oidc_server.address, copied) as thief:
            assert "You are signed out." in text_of_page(thief, "organizations")
