"""The browser's history: each page has one entry, and Back leads through them one by one."""

import pytest

from tests.support.browser import TOKENS

pytestmark = pytest.mark.browser

PLACE = "?org=UTCJF1&service=erecording"
WALK = (
    ("Services", "services?org=UTCJF1", "Organization Services"),
    ("eRecording", f"license{PLACE}", "eRecording License"),
    ("Notifications", f"notifications{PLACE}", "Notifications"),
    ("API 2.0 Tokens", f"api-tokens{PLACE}", "Recipient API Tokens"),
    ("Back to eRecording", f"license{PLACE}", "eRecording License"),
    ("Back to Services", f"services{PLACE}", "Organization Services"),
    ("Back to Contact", f"contact{PLACE}", "Organization Contact Information"),
    ("Back to Organizations", "organizations", "Organizations"),
)
NOTE_ENTRIES = """window.entries = [];
const push = history.pushState.bind(history);
history.pushState = (...call) => { window.entries.push(call[2]); return push(...call); }"""


def test_back_leads_through_the_walk_page_by_page(server, new_tab):
    """Down to the tokens, up again by the menu, and all the way back."""
    tab = new_tab(server.address).another_tab()  # whose page goes with its script
    tab.page.add_init_script(NOTE_ENTRIES)
    tab.open("contact?org=UTCJF1")
    tab.expect_heading("Organization Contact Information")
    for item, _, title in WALK:
        tab.menu(item)
        tab.expect_heading(title)
    # A service that the address has not named yet is named there first: one more entry of Services.
    expected = [f"/{path}" for _, path, _ in WALK]
    expected.insert(1, f"/services{PLACE}")
    assert tab.page.evaluate("window.entries") == expected
    titles = {path: title for _, path, title in WALK}
    for path in reversed(["contact?org=UTCJF1", *(path.lstrip("/") for path in expected[:-1])]):
        tab.go_back(path)
        tab.expect_heading(titles.get(path, "Organization Contact Information"))
    assert tab.page.evaluate("window.entries") == expected


def test_back_leaves_the_start_page(server, new_tab):
    """The root shows Organizations and makes no second entry, in which Back would be caught."""
    tab = new_tab(server.address)
    tab.open(TOKENS)
    tab.expect_heading("Recipient API Tokens")
    tab.open()
    tab.expect_heading("Organizations")
    assert tab.page.url == f"{tab.address}/"
    with tab.page_load():
        tab.page.go_back()
    assert tab.page.url == f"{tab.address}/{TOKENS}"
    tab.expect_heading("Recipient API Tokens")
