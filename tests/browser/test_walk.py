"""The manual's walk, as an administrator and a user do it, on both databases."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from lib.domain.token_format import digests
from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import PEPPER, Dashboard

pytestmark = pytest.mark.browser


def live_digests(server: Dashboard) -> set[bytes]:
    """Return the digest of every live token in the store."""
    live = "SELECT digest FROM token WHERE ended_at IS NULL AND digest IS NOT NULL"
    return {bytes(digest) for (digest,) in server.execute(live)}


def walk_to_tokens(tab: Tab, *, kept: str) -> None:
    """Walk from Organizations down to API 2.0 Tokens by the menu, as the manual has it."""
    tab.open()
    tab.expect_heading("Organizations")
    assert tab.current_menu_item() == "Organizations"
    tab.screenshot(f"{kept}-1-organizations")
    tab.enter("Search", "juniper")
    tab.click(tab.page.get_by_role("link", name="Juniper County Recorder UTCJF1"))
    for page, item in (
        ("Organization Contact Information", "Contact"),
        ("Organization Services", "Services"),
        ("eRecording License", "License"),
        ("Notifications", "Notifications"),
        ("Recipient API Tokens", "API 2.0 Tokens"),
    ):
        if item == "License":
            tab.menu("eRecording")
        elif item != "Contact":
            tab.menu(item)
        tab.expect_heading(page)
        assert tab.current_menu_item() == item
        assert "org=UTCJF1" in tab.page.url
        tab.screenshot(f"{kept}-{page}")


@pytest.mark.parametrize("kind", ["server", "postgresql_server"])
def test_the_manuals_walk_ends_with_a_csv_of_live_tokens(
    kind: str, request: pytest.FixtureRequest, new_tab: Callable[..., Tab]
) -> None:
    """Request for 3, accepted by one, Generate & Export for 12, and the CSV's tokens are live."""
    server: Dashboard = request.getfixturevalue(kind)
    tab, kept = new_tab(server.address), f"walk-{kind}"
    if kind == "server":
        walk_to_tokens(tab, kept=kept)
    else:
        tab.open(TOKENS)  # the menu does not ask the database's engine

    tab.pick("API Token", "None")
    people = [tab.cell(row, "Username") for row in range(3)]
    tab.tick(range(3))
    tab.expect_selected("3 selected")
    tab.screenshot(f"{kept}-ticked")
    tab.pick("Actions", "Add New Tokens")
    tab.dialog().wait_for()
    tab.screenshot(f"{kept}-request-confirm")
    tab.click(tab.confirming_button())
    tab.page.get_by_text("3 new tokens requested").wait_for()
    tab.screenshot(f"{kept}-requested")

    user = new_tab(server.address)
    user.open()
    user.pick("Signed in as", people[0])
    user.menu("My API tokens")
    user.expect_heading("My API tokens")
    user.screenshot(f"{kept}-own-pending")
    user.click(user.button("Accept").first)
    shown = user.page.get_by_test_id("stCode").locator("code").inner_text()
    assert shown.startswith("demo_")
    user.screenshot(f"{kept}-own-accepted")
    user.click("I have copied it")
    expect(user.page.get_by_test_id("stCode")).to_have_count(0)

    tab.click("Done")
    tab.pick("API Token", "Any")
    tab.search(people[0])
    assert tab.cell(0, "API Token") == "✓"
    tab.screenshot(f"{kept}-check-mark")
    before = live_digests(server)
    accepted = digests([shown], PEPPER)[0]
    assert accepted in before

    tab.search("")
    in_sight = [tab.cell(row, "Username") for row in range(9)]
    assert people[0] in in_sight
    tab.tick(range(12))
    tab.expect_selected("12 selected")
    tab.pick("Actions", "Generate & Export Tokens")
    tab.dialog().wait_for()
    tab.screenshot(f"{kept}-confirm-1")
    download = tab.generate(12)
    rows = rows_of(download)
    tab.page.get_by_text("12 tokens generated and exported").wait_for()
    tab.screenshot(f"{kept}-receipt")
    assert len(rows) == 12
    assert [row["Username"] for row in rows][:9] == in_sight
    new = set(digests([row["API Token"] for row in rows], PEPPER))
    after = live_digests(server)
    assert new <= after
    assert not new & before
    assert accepted not in after
    for row in range(9):
        assert tab.cell(row, "API Token") == "Pending"
