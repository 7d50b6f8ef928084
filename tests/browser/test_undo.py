"""Undo in a real browser, what verifies after it, and where title and focus are on the way."""

import re
from collections.abc import Iterable

import httpx2
import pytest
from playwright.sync_api import Locator, expect

from lib.domain.clock import DAY
from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard

pytestmark = pytest.mark.browser
WRONG = 12
RECEIPT = ".st-key-tokens_receipt"


def verify(server: Dashboard, tokens: Iterable[str]) -> list[int]:
    """Return the status with which the server answers for each token."""
    return [
        httpx2.get(
            f"{server.address}/api/v1/verify", headers={"authorization": f"Bearer {token}"}
        ).status_code
        for token in tokens
    ]


def generate(tab: Tab, users: int = WRONG) -> list[str]:
    """Generate & Export for the first users; return their tokens."""
    tab.tick(range(users))
    tab.pick("Actions", "Generate & Export Tokens")
    return [row["API Token"] for row in rows_of(tab.generate(users))]


def in_use(tab: Tab, server: Dashboard) -> list[str]:
    """Give the first users tokens, and use each once: they are accepted."""
    tab.open(TOKENS)
    tokens = generate(tab)
    assert verify(server, tokens) == [200] * WRONG
    accepted = "SELECT count(*) FROM token WHERE state = 'accepted' AND made_by_operation ="
    last = "(SELECT max(operation_id) FROM operation)"
    tab.wait_for(
        lambda: server.execute(f"{accepted} {last}") == [(WRONG,)], "the use is not in the rows"
    )
    tab.click("Done")
    return tokens


def test_undo_from_the_receipt_revives_the_old_tokens(tab: Tab, server: Dashboard) -> None:
    """Twelve wrong people: their old tokens verify again, the new ones do not."""
    old = in_use(tab, server)
    new = generate(tab)
    assert verify(server, old) == [401] * WRONG
    tab.click("Undo …")
    expect(tab.dialog().get_by_text("12 users: 12 users are restored.")).to_be_visible()
    tab.screenshot("undo-preview")
    tab.click("Undo for 12 users")
    expect(tab.page.get_by_text("12 users restored")).to_be_visible()
    assert verify(server, old) == [200] * WRONG
    assert verify(server, new) == [401] * WRONG
    expect(tab.button("Download again")).to_have_count(0)
    assert not set(old + new) & set(re.findall(r"demo_\w+", server.log.read_text()))


def test_undo_from_activity_two_days_later_names_who_used_the_new_token(
    tab: Tab, server: Dashboard
) -> None:
    """One person used it in between, and keeps it."""
    old = in_use(tab, server)
    new = generate(tab)
    assert verify(server, new[:1]) == [200]
    server.execute("UPDATE operation SET confirmed_at = confirmed_at - :days", days=2 * DAY)
    ((operation,),) = server.execute("SELECT max(operation_id) FROM operation")
    tab.open(f"activity?operation=UTCJF1-{operation}")
    tab.click("Undo …")
    expect(tab.dialog().get_by_text("11 users are restored, 1 is skipped")).to_be_visible()
    expect(tab.dialog().get_by_text("Accepted or used since").first).to_be_attached()
    tab.screenshot("undo-skipped")
    tab.click("Undo for 11 users")
    expect(tab.page.get_by_text("11 users restored")).to_be_visible()
    assert verify(server, old) == [401, *[200] * 11]
    assert verify(server, new) == [200, *[401] * 11]


def expect_title(tab: Tab, title: str) -> None:
    """Expect the title of the open dialog, as the browser shows it."""
    expect(tab.dialog().get_by_role("heading", name=title, exact=True)).to_be_visible()


def test_title_and_focus_are_right_after_each_step(tab: Tab, server: Dashboard) -> None:
    """From the first confirmation to the receipt of the undo; each way out of it, too."""
    page = tab.page
    actions = page.get_by_role("combobox", name="Actions")
    number = page.get_by_label("Type 12 to confirm")
    in_use(tab, server)
    tab.tick(range(WRONG))

    def open_first() -> None:
        tab.pick("Actions", "Generate & Export Tokens")
        expect_title(tab, "Generate & Export Tokens")

    for leave in (lambda: tab.click("Cancel"), lambda: tab.press("Escape")):
        open_first()
        leave()
        expect(tab.dialog()).to_have_count(0)
        expect(actions).to_be_focused()
    open_first()
    tab.click("Continue")
    expect_title(tab, "Replace 12 working tokens?")
    expect(number).to_be_focused()
    tab.press("1")
    expect(tab.dialog().get_by_text("That is not 12.")).to_be_visible()
    tab.press("2")
    expect(tab.dialog().get_by_text("That is not 12.")).to_have_count(0)
    expect(tab.download_button()).to_be_enabled()
    tab.click("Back")
    expect_title(tab, "Generate & Export Tokens")
    page.get_by_text("Keep working until the new token is first used").click()
    expect(tab.dialog().get_by_text("12 get a second token")).to_be_visible()
    tab.click("Continue")
    expect_title(tab, "Generate 12 tokens?")
    expect(number).to_be_focused()
    tab.press("Escape")
    expect(actions).to_be_focused()
    open_first()
    tab.generate(WRONG)
    expect(page.locator(RECEIPT)).to_be_focused()
    tab.click("Undo …")
    expect_title(tab, "Undo Generate & Export Tokens?")
    tab.click("Cancel")
    expect(tab.button("Undo …")).to_be_focused()
    tab.click("Undo …")
    tab.click("Undo for 12 users")
    expect(page.locator(".st-key-undo_receipt")).to_be_focused()
    assert "does not exist anymore" not in server.log.read_text()


def test_deed_is_in_the_button_of_the_other_actions(tab: Tab) -> None:
    """It says how many, and the focus goes to the receipt."""
    tab.open(TOKENS)
    for action, deed in (
        ("Add New Tokens", r"^Request \d+ tokens?$"),
        ("Cancel Pending Requests", r"^Cancel \d+ requests?$"),
        ("Remove Tokens", r"^Remove \d+ tokens?$"),
    ):
        tab.tick(range(WRONG))
        tab.pick("Actions", action)
        button: Locator = tab.dialog().get_by_role("button", name=re.compile(deed))
        tab.click(button)
        expect(tab.page.locator(RECEIPT)).to_be_focused()
        tab.click("Done")
