"""Addresses as people meet them: those that are there, and those that are not, in each mode."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import Browsing
from tests.browser.signing_in import TOKENS, asks_to_sign_in, sign_in, step

pytestmark = pytest.mark.browser


@pytest.fixture(params=["demo", "oidc", "proxy"])
def tab(request, new_tab) -> Browsing:
    """A tab on a dashboard of each mode, before anybody has signed in."""
    if request.param == "demo":
        return new_tab(request.getfixturevalue("server").address)
    if request.param == "oidc":
        return new_tab(request.getfixturevalue("desk").address)
    return new_tab(request.getfixturevalue("through")(b"X-Forwarded-User: mhale\r\n"))


def test_deep_link_reload_back_and_a_wrong_address(request, tab):
    """A link leads to its page, also after a reload and Back; a wrong one to a way out."""
    signs_in = request.node.callspec.params["tab"] == "oidc"
    step("a deep link as the first request")
    tab.open(TOKENS)
    if signs_in:
        asks_to_sign_in(tab)
        sign_in(tab, "mhale")
    tab.heading("Recipient API Tokens")
    step("a reload")
    tab.reload()
    tab.heading("Recipient API Tokens")
    step("on to Notifications, and Back")
    tab.menu("Notifications")
    tab.heading("Notifications")
    tab.go_back(TOKENS)
    tab.heading("Recipient API Tokens")
    assert tab.page.url == f"{tab.address}/{TOKENS}"
    for path in ("verify", "API-Tokens", "api-tokens/", "organizations/x", "index.html"):
        step(f"a wrong address: /{path}")
        answer = tab.page.goto(f"{tab.address}/{path}")
        assert answer.status == 404
        expect(tab.page.get_by_role("heading", name="Page not found")).to_be_visible()
    tab.picture("not-found-1280-light")
    step("the way out")
    with tab.page_load():
        tab.page.get_by_role("link", name="Go to the start").click()
    tab.heading("Organizations")
