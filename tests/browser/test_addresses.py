"""Addresses as people meet them: those that are there, and those that are not, in each mode."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import TOKENS, Tab
from tests.support.sign_in import expect_sign_in_page, sign_in, step

pytestmark = pytest.mark.browser


@pytest.fixture(params=["demo", "oidc", "proxy"])
def tab(request, new_tab) -> Tab:
    """A tab on a dashboard of each mode, before anybody has signed in."""
    if request.param == "demo":
        return new_tab(request.getfixturevalue("server").address)
    if request.param == "oidc":
        return new_tab(request.getfixturevalue("oidc_server").address)
    return new_tab(request.getfixturevalue("open_proxy")(b"X-Forwarded-User: mhale\r\n"))


def test_a_link_a_reload_and_back_keep_the_page_and_a_wrong_address_is_404(request, tab):
    """A link leads to its page, also after a reload and Back; a wrong one to a way out."""
    signs_in = request.node.callspec.params["tab"] == "oidc"
    step("a deep link as the first request")
    tab.open(TOKENS)
    if signs_in:
        expect_sign_in_page(tab)
        sign_in(tab, "mhale")
    tab.expect_heading("Recipient API Tokens")
    step("a reload")
    tab.reload()
    tab.expect_heading("Recipient API Tokens")
    step("on to Notifications, and Back")
    tab.menu("Notifications")
    tab.expect_heading("Notifications")
    tab.go_back(TOKENS)
    tab.expect_heading("Recipient API Tokens")
    assert tab.page.url == f"{tab.address}/{TOKENS}"
    for path in ("verify", "API-Tokens", "api-tokens/", "organizations/x", "index.html"):
        step(f"a wrong address: /{path}")
        answer = tab.page.goto(f"{tab.address}/{path}")
        assert answer.status == 404
        expect(tab.page.get_by_role("heading", name="Page not found")).to_be_visible()
    tab.screenshot("not-found-1280-light")
    step("the way out")
    with tab.page_load():
        tab.page.get_by_role("link", name="Go to the start").click()
    tab.expect_heading("Organizations")
