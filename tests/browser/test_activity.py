"""Activity and users in a real browser: four eyes, off-boarding, addresses, keyboard, mouse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lib.domain.token_format import mint
from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard, Dashboards

pytestmark = pytest.mark.browser
FOUR_EYES = "3"
REQUESTER, APPROVER = "Morgan Hale", "Rosalind Fenwick"


@pytest.fixture(scope="module")
def four_eyes_server(dashboards: Dashboards, demo: Path) -> Dashboard:
    """A dashboard on which one administrator alone may generate for three users at once."""
    return dashboards.start(content=demo, four_eyes=FOUR_EYES)


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
        tab.expect_heading("Petra Sorel")
        assert tab.page.url.endswith("person?user=psorel")
        with tab.rerun():
            tab.page.go_back()
        tab.expect_heading("Activity")
        with tab.rerun():
            tab.page.go_forward()
        tab.expect_heading("Petra Sorel")
        tab.reload()
        assert tab.page.url.endswith("person?user=psorel")
        tab.menu("Activity")
        tab.expect_heading("Activity")
        assert tab.current_menu_item() == "Activity"

    def test_old_address_of_a_person_leads_to_their_page(self, tab: Tab) -> None:
        """The menu leads from it to the list, and Back leaves it."""
        tab.open("help")
        tab.open("activity?person=adoyle")
        tab.expect_heading("Andre Doyle")
        tab.menu("Activity")
        tab.expect_heading("Activity")
        with tab.rerun():
            tab.page.go_back()
        tab.expect_heading("Andre Doyle")
        with tab.page_load():
            tab.page.go_back()
        tab.expect_heading("Help")


class TestOffBoarding:
    """One person's tokens and requests end by one confirmed action."""

    def test_a_person_is_off_boarded_by_keyboard_alone(
        self, as_person: Callable[[str], Tab]
    ) -> None:
        """Tab to the button, Enter, Tab through the dialog, Enter; Esc had changed nothing."""
        tab = as_person(REQUESTER)
        tab.open("person?user=adoyle")
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
        expect(tab.page.get_by_role("link", name="Back to Users")).to_be_visible()
        assert "person?user=" in tab.page.url

    def test_a_click_on_what_happened_opens_it(self, as_person: Callable[[str], Tab]) -> None:
        """Not only the box at the beginning of the row."""
        tab = as_person(REQUESTER)
        tab.pick("Show", "Access and policies")
        canvas = tab.page.locator('canvas[data-testid="data-grid-canvas"]').first
        tab.step_to(0, column=1)  # the table is drawn
        with tab.rerun():
            canvas.click(position={"x": 300, "y": 50}, force=True)
        expect(tab.page.get_by_role("link", name="Back to Users")).to_be_visible()


class TestUsers:
    """A person is found in one search."""

    def test_search_finds_while_typing_and_leads_to_the_person(self, tab: Tab) -> None:
        """One click, one field, one click; the text is kept for the way back."""
        tab.open()
        tab.menu("Users")
        field = tab.page.get_by_label("Search", exact=True)
        with tab.rerun():
            field.press_sequentially("adoyl")
        tab.click(tab.page.get_by_role("link", name="Andre Doyle adoyle"))
        tab.expect_heading("Andre Doyle")
        tab.click(tab.page.get_by_role("link", name="Back to Users"))
        expect(field).to_have_value("adoyl")

    def test_token_in_a_search_is_refused(self, tab: Tab) -> None:
        """The field is emptied, and the address has nothing of it."""
        (token,) = mint(1, "demo")
        tab.open("users")
        field = tab.page.get_by_label("Search", exact=True)
        with tab.rerun():
            field.fill(token)
        expect(tab.page.get_by_text("This is a token. Look it up in Recall.")).to_be_visible()
        expect(field).to_have_value("")
        assert token[:20] not in tab.page.url


def test_an_address_of_nothing_has_a_sentence_and_a_way_out(tab: Tab) -> None:
    """Unknown operations and people."""
    tab.open("activity?operation=UTCJF1-0")
    expect(tab.page.get_by_text("There is no such operation.")).to_be_visible()
    tab.click("Back to Activity")
    tab.expect_heading("Activity")
    tab.open("person?user=nobody")
    expect(tab.page.get_by_text("There is no user nobody.")).to_be_visible()
    tab.click(tab.page.get_by_role("link", name="Back to Users"))
    tab.expect_heading("Users")
