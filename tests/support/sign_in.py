"""Signing in and out at the identity provider, and the cookies of that, real and forged."""

import json
import time
from typing import Any

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from playwright.sync_api import BrowserContext, expect

from tests.support.browser import Tab
from tests.support.dashboards import Dashboard

COOKIE_SECRET = "cookie-secret-of-the-browser-tests"  # noqa: S105 - of nothing else
USER_COOKIE = "_streamlit_user"
XSRF_COOKIE = "_streamlit_xsrf"
DAY = 24 * 3600
PEOPLE = {
    "mhale": "API administrator of the demo",
    "adoyle": "a user of the demo",
    "tokeefe": "inactive in the demo",
    "nobody": "unknown to the demo",
}


#: What providers send of people whose sign-ins are not as simple, by the button at the provider.
CLAIMS: dict[str, dict[str, Any]] = {
    "thin": {"preferred_username": "mhale", "only_as_userinfo": ["preferred_username"]},
    "old-iat": {"preferred_username": "mhale", "iat": int(time.time()) - 3600},
    "upper": {"preferred_username": "MHALE"},
    "decomposed": {"preferred_username": " Jose\u0301 "},
    "markup": {"preferred_username": "**x** ![i](https://evil.example.com/i) <b>y</b> $z$"},
    "no-name": {"preferred_username": ["mhale"]},
    "verified": {
        "email": "MHale@TokenDesk.example.com",
        "email_verified": True,
        "only_as_userinfo": ["email", "email_verified"],
    },
    "verified-list": {"email": "mhale@tokendesk.example.com", "email_verified": [True]},
}


def step(sentence: str) -> None:
    """Say what is done next; `pytest -s` shows it."""
    print(f"  · {sentence}")


def sign_in(tab: Tab, username: str) -> None:
    """Click Sign in, be this person at the provider, and come back."""
    with tab.page_load():
        tab.button("Sign in").click()
        tab.page.wait_for_url("**/oauth2/authorize**")
        tab.page.get_by_role("button", name=username, exact=True).click()
        tab.page.wait_for_url(f"{tab.address}/**")


def sign_out(tab: Tab, button: str = "Sign out") -> None:
    """Click Sign out, and agree at the provider."""
    with tab.page_load():
        tab.button(button).click()
        tab.page.wait_for_url("**/end_session**")
        tab.page.get_by_role("button", name="End session").click()
        tab.page.wait_for_url(f"{tab.address}/**")


def expect_sign_in_page(tab: Tab) -> None:
    """Expect the sign-in page, and nothing of anybody's on it."""
    tab.expect_heading("Sign in to Token Desk")
    expect(tab.button("Sign in")).to_be_visible()
    expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(tab.page.get_by_test_id("stDialog")).to_have_count(0)
    expect(tab.page.get_by_text("Juniper County Recorder")).to_have_count(0)


def events(dashboard: Dashboard, actor: str) -> list[tuple[str, str]]:
    """Return action and detail of what a person did, oldest first."""
    return dashboard.execute(
        "SELECT action, detail FROM audit_event WHERE actor = :actor ORDER BY event_id",
        actor=actor,
    )


def cookies_of(context: BrowserContext) -> dict[str, str]:
    """Return the values of a browser's cookies by their names."""
    return {cookie["name"]: cookie["value"] for cookie in context.cookies()}


def sign_in_cookie_of(context: BrowserContext) -> dict[str, Any]:
    """Return the cookie of who is signed in."""
    (cookie,) = [c for c in context.cookies() if c["name"] == USER_COOKIE]
    return cookie


def put_cookie(context: BrowserContext, cookie: dict[str, Any], value: str) -> None:
    """Put the cookie into the browser with another value."""
    context.clear_cookies(name=USER_COOKIE)
    kept = {name: cookie[name] for name in ("name", "domain", "path", "httpOnly", "sameSite")}
    context.add_cookies([kept | {"value": value}])


def claims_of(value: str) -> dict[str, Any]:
    """Return what a signed cookie says; anybody can read it."""
    said = URLSafeTimedSerializer(COOKIE_SECRET, salt=USER_COOKIE).loads(value)
    return json.loads(said)


def signed_cookie(claims: dict[str, Any], *, seconds_ago: int = 0, key: str = COOKIE_SECRET) -> str:
    """Return a cookie that was signed some time ago."""

    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - seconds_ago

    serializer = URLSafeTimedSerializer(key, salt=USER_COOKIE, signer=Earlier)
    return str(serializer.dumps(json.dumps(claims)))
