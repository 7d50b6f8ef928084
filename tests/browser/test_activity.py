"""Activity in a real browser: four eyes by two people, off-boarding, addresses, the keyboard."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard, Dashboards

pytestmark = pytest.mark.browser
FOUR_EYES = "3"
REQUESTER, APPROVER = "Morgan Hale", "Rosalind Fenwick"


@pytest.fixture(scope="module")
def four_eyes_server(dashboards: Dashboards) -> Dashboard:
    """A dashboard on which one administrator alone may generate for three users at once.

    Its database is its own: the demo comes into it at the first page.
    """
    return dashboards.start(four_eyes=FOUR_EYES)


@pytest.fixture
def as_person(new_tab: Callable[..., Tab], four_eyes_server: Dashboard) -> Callable[[str], Tab]:
    """Open a tab as a person of the demo; it ends on Activity."""

    def open_activity(name: str) -> Tab:
        tab = new_tab(four_eyes_server.address)
        tab.open("activity")
        if name != REQUESTER:
            tab.pick("Signed in as", name)
        tab.expect_heading("Activity")
        return tab

    return open_activity


def ask_for_approval(tab: Tab, users: int) -> None:
    """Go through the confirmations of Generate & Export until approval is asked for."""
    tab.visit(TOKENS)
    tab.tick(range(users))
    tab.pick("Actions", "Generate & Export Tokens")
    tab.page.get_by_label("Reason (optional)").fill("quarterly rotation")
    tab.click("Continue")
    tab.page.get_by_label(f"Type {users:,} to confirm").fill(str(users))
    tab.button("Ask for approval").click()
    expect(tab.page.get_by_text(f"Approval asked for {users} tokens.")).to_be_visible()


class TestFourEyes:
    """One asks, another approves in a tab of their own, the first downloads."""

    def test_an_approved_request_is_downloaded_by_its_requester(
        self, as_person: Callable[[str], Tab]
    ) -> None:
        """The file has as many rows as were approved, and both pages say what happened."""
        first, second = as_person(REQUESTER), as_person(APPROVER)
        ask_for_approval(first, 5)
        second.visit("activity")
        second.screenshot("activity-waiting")
        second.click("Open it")
        expect(second.page.get_by_text("5 selected: 5 get a new token.")).to_be_visible()
        expect(second.page.get_by_text("Your role was granted by whoever runs")).to_be_visible()
        second.screenshot("activity-request")
        second.click("Approve")
        second.screenshot("activity-approve")
        second.dialog().get_by_role("button", name="Approve", exact=True).click()
        expect(second.page.get_by_text("Approved. mhale finds it under Activity")).to_be_visible()
        first.visit("activity")
        first.click("Open it")
        first.screenshot("activity-approved")
        first.click("Go on to the download")
        first.expect_heading("Recipient API Tokens")
        first.page.get_by_label("Type 5 to confirm").fill("5")
        expect(first.download_button()).to_be_enabled()
        with first.page.expect_download() as started:
            first.download_button().click()
        assert len(rows_of(started.value)) == 5
        expect(first.page.get_by_text("5 tokens generated and exported")).to_be_visible()
        second.visit(second.page.url.rpartition("/")[2])
        expect(second.page.get_by_text("Approved", exact=True).first).to_be_visible()
        second.screenshot("activity-operation")

    def test_a_rejected_request_offers_no_download(self, as_person: Callable[[str], Tab]) -> None:
        """The requester reads it; nothing offers the download."""
        first, second = as_person(REQUESTER), as_person(APPROVER)
        ask_for_approval(first, 4)
        second.pick("Show", "Approvals")
        second.click("Open it")
        second.click("Reject")
        second.dialog().get_by_role("button", name="Reject", exact=True).click()
        expect(second.page.get_by_text("Rejected. mhale sees that under Activity.")).to_be_visible()
        address = second.page.url.rpartition("/")[2]
        first.visit(address)
        expect(first.page.get_by_text("Rejected by rfenwick; nothing was changed.")).to_be_visible()
        expect(first.button("Go on to the download")).to_have_count(0)


class TestAddresses:
    """An operation and a person have addresses of their own."""

    def test_back_and_reload_keep_the_place(self, as_person: Callable[[str], Tab]) -> None:
        """List, person, Back, forward, reload, and both ways back to the list."""
        tab = as_person(REQUESTER)
        tab.pick("Show", "Everything")
        tab.pick("Open a person", "psorel")
        assert tab.page.url.endswith("activity?person=psorel")
        with tab.rerun():
            tab.page.go_back()
        tab.expect_heading("Activity")
        with tab.rerun():
            tab.page.go_forward()
        expect(tab.button("Back to Activity")).to_be_visible()
        tab.reload()
        assert tab.page.url.endswith("activity?person=psorel")
        tab.click("Back to Activity")
        tab.expect_heading("Activity")
        tab.pick("Show", "Everything")
        for _ in range(2):  # from either of the list's two addresses
            tab.pick("Open a person", "psorel")
            expect(tab.button("Back to Activity")).to_be_visible()
            tab.menu("Activity")
            tab.expect_heading("Activity")
            assert tab.current_menu_item() == "Activity"


class TestOffBoarding:
    """One person's tokens and requests end by one confirmed action."""

    def test_a_person_is_off_boarded_by_keyboard_alone(
        self, as_person: Callable[[str], Tab]
    ) -> None:
        """Tab to the button, Enter, Tab through the dialog, Enter; Esc had changed nothing."""
        tab = as_person(REQUESTER)
        tab.visit("activity?person=adoyle")
        begin = tab.button("End all tokens and requests")
        begin.focus()
        tab.press("Enter")
        expect(tab.dialog().get_by_text("Nothing has changed yet.")).to_be_visible()
        tab.screenshot("activity-off-boarding")
        tab.page.keyboard.press("Escape")
        expect(tab.dialog()).to_have_count(0)
        begin.focus()
        tab.press("Enter")
        tab.page.get_by_label("Reason (optional)").focus()
        tab.page.keyboard.type("left the office")
        confirm = tab.button("End them all")
        for _ in range(6):
            tab.page.keyboard.press("Tab")
            if confirm.evaluate("b => b === document.activeElement"):
                break
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_text("pending requests ended")).to_be_visible()
        expect(tab.page.get_by_text("Nothing works or is pending.")).to_be_visible()
        tab.screenshot("activity-off-boarded")
        tab.click(tab.page.get_by_role("button", name="token removed").first)
        tab.expect_heading("Remove API Token")
        expect(tab.page.get_by_text("left the office").first).to_be_visible()


class TestTable:
    """The grid's own selection opens a row."""

    def test_shift_and_space_on_a_row_open_it(self, as_person: Callable[[str], Tab]) -> None:
        """Focus the grid, Shift+Space, and what the row is about is there."""
        tab = as_person(REQUESTER)
        tab.pick("Show", "Access and policies")
        tab.step_to(0, column=1)
        tab.press("Shift+Space")
        expect(tab.button("Back to Activity")).to_be_visible()
        assert "person=" in tab.page.url


def test_an_address_of_nothing_has_a_sentence_and_a_way_out(tab: Tab) -> None:
    """Unknown operations and people."""
    nothing = {
        "operation=UTCJF1-0": "There is no such operation.",
        "person=nobody": "There is no user nobody.",
    }
    for address, sentence in nothing.items():
        tab.open(f"activity?{address}")
        expect(tab.page.get_by_text(sentence)).to_be_visible()
        tab.click("Back to Activity")
        tab.expect_heading("Activity")
