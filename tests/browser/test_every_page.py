"""Every page, light and dark, wide and narrow: drawn whole, without an error, kept as a picture."""

import itertools
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browser import TOKENS, Tab
from tests.support.dashboards import Dashboard

pytestmark = pytest.mark.browser
PAGES = {
    "": "Organizations",
    "contact?org=UTCJF1": "Organization Contact Information",
    "services?org=UTCJF1": "Organization Services",
    "license?org=UTCJF1&service=erecording": "eRecording License",
    "notifications?org=UTCJF1&service=erecording": "Notifications",
    TOKENS: "Recipient API Tokens",
    "users": "Users",
    "coverage": "Token coverage",
    "coverage-users?view=expiring&days=30": "Expires within 30 days",
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
WIDTHS = (1280, 400)  # pixels
CORNERS = {"contact?org=NOSUCH": "There is no organization NOSUCH."}


def test_every_page_is_drawn_wide_and_narrow_light_and_dark(
    new_tab: Callable[..., Tab], server: Dashboard
) -> None:
    """Its title shows, no error does, nothing is asked of another host, and nothing overflows."""
    tab = new_tab(server.address, width=WIDTHS[0])
    elsewhere: list[str] = []
    ours = (tab.address, "data:", "blob:")
    tab.listen("request", lambda r: r.url.startswith(ours) or elsewhere.append(r.url))
    tab.open()
    looks = list(itertools.product(WIDTHS, BACKGROUND))
    for path, title in PAGES.items():
        tab.visit(path)
        tab.expect_heading(title)
        expect(tab.page.get_by_test_id("stException")).to_have_count(0)
        expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)
        for width, scheme in looks:
            expect_look(tab, width, scheme)
            tab.screenshot(f"page-{title}-{width}-{scheme}")
        looks.reverse()  # so half of the pages are drawn first in a narrow window
    assert elsewhere == []


def expect_look(tab: Tab, width: int, scheme: str) -> None:
    """Give the window a width and a scheme; expect the background and that nothing overflows."""
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.page.emulate_media(color_scheme=scheme)
    expect(tab.page.get_by_test_id("stApp")).to_have_css("background-color", BACKGROUND[scheme])
    tab.wait_for(
        lambda: tab.page.evaluate(WIDEST) <= width, f"{tab.page.url} is wider than {width} px"
    )


@pytest.mark.parametrize("path", CORNERS)
def test_a_wrong_address_has_a_sentence_and_a_way_out(tab: Tab, path: str) -> None:
    """The sentence names what is wrong, and a link leads back."""
    tab.open(path)
    expect(tab.page.get_by_text(CORNERS[path])).to_be_visible()
    tab.screenshot(f"wrong-{path}")
    tab.click(tab.page.get_by_role("link", name="Choose an organization"))
    tab.expect_heading("Organizations")
