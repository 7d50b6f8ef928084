"""The manual's walk without a mouse: Tab, arrows, Space, Enter and letters."""

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import TOKENS, Tab, rows_of

pytestmark = pytest.mark.browser
WALK = (
    ("Services", "Organization Services"),
    ("eRecording", "eRecording License"),
    ("Notifications", "Notifications"),
    ("API 2.0 Tokens", "Recipient API Tokens"),
)
MOST_TABS = 120
HAS_FOCUS = "e => e === document.activeElement || e.contains(document.activeElement)"


class Keyboard:
    """Keys, and what they reach. Nothing here clicks or sets the focus."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page = tab.page

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, wanted: Locator, key: str = "Tab") -> None:
        """Press Tab (or Shift+Tab) until `wanted` has the focus."""
        expect(wanted).to_be_visible()
        passed = []
        for _ in range(MOST_TABS):
            if wanted.evaluate(HAS_FOCUS):
                return
            passed.append(self.page.evaluate("document.activeElement.outerHTML.slice(0, 90)"))
            self.press(key)
        pytest.fail("out of reach by keyboard; the way was:\n" + "\n".join(passed))

    def enter(self, wanted: Locator, key: str = "Tab") -> None:
        """Go to `wanted` and press Enter."""
        self.reach(wanted, key)
        self.tab.press("Enter")


def walk_to_tokens(keys: Keyboard) -> None:
    """Walk from Organizations down to API 2.0 Tokens."""
    tab, page = keys.tab, keys.page
    tab.open()
    tab.expect_heading("Organizations")
    keys.reach(page.get_by_label("Search", exact=True))
    page.keyboard.type("juniper")
    tab.press("Enter")
    keys.enter(page.get_by_role("link", name="Juniper County Recorder UTCJF1"))
    tab.expect_heading("Organization Contact Information")
    menu = page.get_by_test_id("stSidebarNav")
    for item, heading in WALK:
        keys.enter(menu.get_by_role("link", name=item, exact=True))
        tab.expect_heading(heading)


def tick_two(keys: Keyboard) -> list[str]:
    """Tick the first and the third user; return their usernames."""
    tab = keys.tab
    keys.reach(keys.page.locator('canvas[data-testid="data-grid-canvas"]').first)
    people = []
    for row, selected in ((0, 1), (2, 2)):
        tab.step_to(row, focus=False)
        tab.press("Space")
        tab.expect_selected(f"{selected} selected")
        people.append(tab.cell(row, "Username"))
    return people


def choose_export(keys: Keyboard) -> None:
    """Choose Generate & Export Tokens in the Actions menu."""
    keys.reach(keys.page.get_by_role("combobox", name="Actions"))
    keys.page.keyboard.type("Generate")
    keys.tab.press("Enter")
    expect(keys.tab.dialog()).to_be_visible()


def test_the_csv_is_reached_by_keyboard_alone(tab: Tab) -> None:
    """From Organizations to the downloaded CSV and the receipt's Done."""
    keys = Keyboard(tab)
    walk_to_tokens(keys)
    people = tick_two(keys)
    choose_export(keys)
    keys.enter(tab.button("Continue"))
    keys.reach(tab.page.get_by_label("Type 2 to confirm"))
    tab.press("2")
    download = tab.download_button()
    expect(download).to_be_enabled()
    keys.reach(download)
    with tab.page.expect_download() as started:
        keys.press("Enter")
    assert [row["Username"] for row in rows_of(started.value)] == people
    expect(tab.page.get_by_text("2 tokens generated and exported")).to_be_visible()
    tab.screenshot("keyboard-receipt")
    keys.reach(tab.button("Download again"))
    with tab.page.expect_download() as again:
        keys.press("Space")
    assert [row["Username"] for row in rows_of(again.value)] == people
    keys.enter(tab.button("Done"), "Shift+Tab")
    expect(tab.page.get_by_text("2 tokens generated and exported")).to_have_count(0)


def test_each_way_out_of_a_confirmation_keeps_the_selection(tab: Tab) -> None:
    """Tab stays in the dialog; Cancel, Back and Esc work; the selection is still there."""
    keys = Keyboard(tab)
    tab.open(TOKENS)
    tick_two(keys)
    choose_export(keys)
    for _ in range(8):
        keys.press("Tab")
        assert tab.dialog().evaluate(HAS_FOCUS)
    keys.enter(tab.button("Cancel"), "Shift+Tab")
    expect(tab.dialog()).to_have_count(0)
    choose_export(keys)
    keys.enter(tab.button("Continue"))
    keys.enter(tab.button("Back"))
    expect(tab.button("Continue")).to_be_visible()
    tab.press("Escape")
    expect(tab.dialog()).to_have_count(0)
    tab.expect_selected("2 selected")
    keys.enter(tab.button("Clear"))
    tab.expect_selected("None selected")
