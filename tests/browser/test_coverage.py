"""From a cell of the heat map to its people, and on to the API Tokens page, with the mouse."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import Tab

pytestmark = pytest.mark.browser
_CELLS = '[data-testid="stVegaLiteChart"] .mark-rect.role-mark path'
_FEW_PIXELS = 20  # less than the height of a row


def test_a_cell_leads_to_its_people_and_to_the_action(tab: Tab) -> None:
    """Three clicks: the number, its people, exactly these users selected; Actions stays closed."""
    tab.open("coverage")
    cell = tab.page.locator(_CELLS).first
    expect(cell).to_be_visible()
    box = cell.bounding_box()
    assert box["height"] > _FEW_PIXELS
    with tab.rerun():
        tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.expect_heading("Users whom coverage counts")
    expect(tab.page).to_have_url(re.compile(r"/coverage-users\?view=users&org=\w+&service="))
    foot = tab.page.get_by_text(re.compile(r" of \d+ users? in 1 organization"))
    (users,) = re.findall(r"of (\d+) user", foot.inner_text())
    tab.click("Open in API tokens")
    tab.expect_heading("Recipient API Tokens")
    tab.expect_selected(f"{users} selected")
    expect(tab.dialog()).to_have_count(0)
