"""Every page, light and dark, wide and narrow: drawn whole, without an error, kept as a picture."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import Browsing
from tests.support.dashboards import Dashboard

pytestmark = pytest.mark.browser
PAGES = {
    "": "Organizations",
    "contact?org=UTCJF1": "Organization Contact Information",
    "services?org=UTCJF1": "Organization Services",
    "license?org=UTCJF1&service=erecording": "eRecording License",
    "notifications?org=UTCJF1&service=erecording": "Notifications",
    "api-tokens?org=UTCJF1&service=erecording": "Recipient API Tokens",
    "users": "Users",
    "coverage": "Token coverage",
    "activity": "Activity",
    "person?user=adoyle": "Andre Doyle",
    "recall": "Recall",
    "access": "Access",
    "my-api-tokens": "My API tokens",
    "help": "Help",
}
WIDEST = """Math.max(document.documentElement.scrollWidth,
    document.querySelector('[data-testid="stMain"]').scrollWidth)"""
# As .streamlit/config.toml has it.
BACKGROUND = {"light": "rgb(250, 251, 252)", "dark": "rgb(18, 23, 29)"}
CORNERS = {"contact?org=NOSUCH": "There is no organization NOSUCH."}


@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_is_drawn(
    new_tab: Callable[..., Browsing], server: Dashboard, width: int
) -> None:
    """Its title shows, no error does, nothing is asked of another host, and nothing overflows."""
    tab = new_tab(server.address, width=width)
    elsewhere: list[str] = []
    schemes = list(BACKGROUND)
    ours = (tab.address, "data:", "blob:")
    tab.listen("request", lambda r: r.url.startswith(ours) or elsewhere.append(r.url))
    for path, title in PAGES.items():
        tab.open(path)
        tab.heading(title)
        expect(tab.page.get_by_test_id("stException")).to_have_count(0)
        expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)
        wide = tab.page.evaluate(WIDEST) - width
        assert wide <= 0, f"{path} is {wide} px too wide"
        for scheme in schemes:
            tab.page.emulate_media(color_scheme=scheme)
            app = tab.page.get_by_test_id("stApp")
            expect(app).to_have_css("background-color", BACKGROUND[scheme])
            tab.picture(f"page-{title}-{width}-{scheme}")
        schemes.reverse()  # a page is loaded in the colours of the one before: a change takes time
    assert elsewhere == []


@pytest.mark.parametrize("path", CORNERS)
def test_a_wrong_address_has_a_sentence_and_a_way_out(tab: Browsing, path: str) -> None:
    """The sentence names what is wrong, and a link leads back."""
    tab.open(path)
    expect(tab.page.get_by_text(CORNERS[path])).to_be_visible()
    tab.picture(f"wrong-{path}")
    tab.click(tab.page.get_by_role("link", name="Choose an organization"))
    tab.heading("Organizations")
