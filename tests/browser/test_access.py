"""Access in a browser: a role is given, used at once, and gone at the next click."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lib.domain.roles import Grant, Role
from tests.support.browser import TOKENS, Tab
from tests.support.dashboards import Dashboard, Dashboards
from tests.support.malicious_names import (
    ADDRESSES,
    HTML,
    MARKDOWN,
    PEOPLE,
    expect_text_only,
    nothing_foreign,
    write_directory,
)

pytestmark = pytest.mark.browser
USER = "adoyle"
ROLES = (Grant(Role.SUPPORT, "EVIL01"), Grant(Role.ANALYST))


def fill_in_grant(tab: Tab, username: str, role: str, *places: str) -> None:
    """Fill in the form, which runs nothing before it is sent."""
    tab.page.get_by_label("Username", exact=True).fill(username)
    for label, options in (("Role", (role,)), ("Where", places)):
        box = tab.page.get_by_role("combobox", name=label)
        for option in options:
            box.click()
            box.fill(option)
            box.press("Enter")
    tab.page.keyboard.press("Escape")


def offered_actions(tab: Tab) -> list[str]:
    """Return what Actions offers."""
    tab.page.get_by_role("combobox", name="Actions").click()
    options = tab.page.get_by_role("option")
    expect(options.first).to_be_visible()
    found = options.all_inner_texts()
    tab.page.keyboard.press("Escape")
    return found


def test_a_grant_holds_from_the_next_click_until_it_is_revoked(
    server: Dashboard, new_tab: Callable[..., Tab]
) -> None:
    """Support in one organization: just that, from the next click to the next click."""
    admin, user = new_tab(server.address), new_tab(server.address)
    user.open()
    user.pick("Signed in as", USER)
    user.expect_heading("My API tokens")
    user.menu("Help")

    admin.open("access")
    admin.expect_heading("Access")
    assert admin.current_menu_item() == "Access"
    fill_in_grant(admin, USER, "Support", "Juniper")
    admin.screenshot("access-form")
    admin.click("Grant")
    admin.page.get_by_text("adoyle is Support in UTCJF1 from the next click.").wait_for()
    admin.screenshot("access-granted")

    user.menu("My API tokens")
    user.menu("Organizations")
    links = user.page.get_by_test_id("stMain").get_by_role("link")
    expect(links).to_have_count(1)
    user.visit(TOKENS)
    user.tick([0])
    user.expect_selected("1 selected")
    assert set(offered_actions(user)) == {
        "Request New API Token",
        "Remove API Token",
        "Cancel Pending Request",
    }
    user.pick("Actions", "Remove API Token")
    expect(user.confirming_button()).to_be_enabled()

    admin.enter("Search", USER)
    admin.click("Revoke")
    admin.dialog().get_by_text("loses Support in Juniper County Recorder").wait_for()
    admin.screenshot("access-revoke")
    admin.click(admin.dialog().get_by_role("button", name="Revoke", exact=True))
    admin.page.get_by_text("is no longer Support in UTCJF1.").wait_for()
    expect(admin.page.get_by_text("No grant matches")).to_be_visible()

    user.click(user.confirming_button())
    user.screenshot("access-refused")
    expect(
        user.page.get_by_text("You may not do this, or no longer")
        .or_(user.page.get_by_text("This page is for"))
        .first
    ).to_be_visible()
    user.visit(TOKENS)
    expect(user.page.get_by_text("This page is for")).to_be_visible()
    user.menu("My API tokens")
    assert user.current_menu_item() == "My API tokens"


def choose_by_keyboard(tab: Tab, label: str, option: str) -> None:
    """Go on to the next field, which is `label`, and choose there."""
    box = tab.page.get_by_role("combobox", name=label)
    for _ in range(3):
        tab.page.keyboard.press("Tab")
        if box.evaluate("box => box === document.activeElement"):
            break
    expect(box).to_be_focused()
    tab.page.keyboard.press("ArrowDown")
    expect(tab.page.get_by_role("option").first).to_be_visible()
    tab.page.keyboard.type(option)
    expect(tab.page.get_by_role("option", name=option)).to_be_visible()
    tab.page.keyboard.press("Enter")


def tab_to(tab: Tab, button: str) -> None:
    """Press Tab until a button has the focus."""
    for _ in range(6):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("document.activeElement.innerText") == button:
            return
    expect(tab.button(button)).to_be_focused()


def test_a_role_is_granted_and_revoked_by_keyboard_alone(tab: Tab) -> None:
    """The form is filled in and sent, and the question answered, without a mouse."""
    tab.open("access")
    tab.page.get_by_label("Username", exact=True).focus()
    tab.page.keyboard.type("ivarga")
    choose_by_keyboard(tab, "Role", "Support")
    choose_by_keyboard(tab, "Where", "All organizations")
    tab.page.keyboard.press("Escape")
    tab_to(tab, "Grant")
    tab.press("Enter")
    tab.page.get_by_text("ivarga is Support in all organizations").wait_for()
    tab.enter("Search", "ivarga support")
    tab.button("Revoke").focus()
    tab.press("Enter")
    question = tab.dialog().get_by_role("button", name="Revoke", exact=True)
    expect(question).to_be_visible()
    question.focus()
    tab.press("Space")
    tab.page.get_by_text("is no longer Support").wait_for()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose every name is an attack, with two roles for everybody."""
    path = tmp_path_factory.mktemp("malicious") / "directory.db"
    everybody = [(username, role) for username, _, _ in PEOPLE for role in ROLES]
    write_directory(path, [("root", Grant(Role.ADMINISTRATOR)), *everybody])
    return path


@pytest.fixture
def malicious_tab(
    new_tab: Callable[..., Tab], dashboards: Dashboards, directory: Path
) -> Iterator[Tab]:
    """A tab on it in which nothing but our own server is asked, and no box pops up."""
    with nothing_foreign(new_tab(dashboards.showing(directory).address)) as tab:
        yield tab


def test_malicious_names_on_access_are_text(malicious_tab: Tab) -> None:
    """In the table, in each question, in the form and in the sentences."""
    malicious_tab.open("access")
    malicious_tab.page.get_by_text("What each role may do").wait_for()
    expect_text_only(malicious_tab.page)
    malicious_tab.screenshot("hostile-access")
    buttons = malicious_tab.page.get_by_role("button", name="Revoke", exact=True)
    expect(buttons).to_have_count(2 * len(PEOPLE) + 1)
    for number in range(0, 2 * len(PEOPLE), 3):
        malicious_tab.click(buttons.nth(number))
        expect(malicious_tab.dialog().get_by_text("at the next click")).to_be_visible()
        expect_text_only(malicious_tab.page)
        malicious_tab.click("Keep it")
    expect(malicious_tab.dialog()).to_have_count(0)
    where = malicious_tab.page.get_by_role("combobox", name="Where")
    where.click()
    where.fill("EVIL01")
    expect(malicious_tab.page.get_by_role("option").first).to_be_visible()
    expect_text_only(malicious_tab.page)
    malicious_tab.page.keyboard.press("Escape")


def test_malicious_input_on_access_is_shown_as_text(malicious_tab: Tab) -> None:
    """A search without a hit, an unknown username, and the sentence after a grant."""
    unknown, known = "The directory has nobody of that username", "is Analyst in"
    answers = {MARKDOWN: unknown, HTML: unknown, ADDRESSES: unknown, PEOPLE[0][0]: known}
    malicious_tab.open("access")
    for typed, answer in answers.items():
        malicious_tab.enter("Search", f"{typed} nobody")
        expect(malicious_tab.page.get_by_text("No grant matches")).to_be_visible()
        expect_text_only(malicious_tab.page)
        fill_in_grant(malicious_tab, typed, "Analyst", "EVIL01")
        malicious_tab.click("Grant")
        alert = malicious_tab.page.get_by_test_id("stAlert")
        expect(alert.get_by_text(answer)).to_be_visible()
        expect_text_only(malicious_tab.page)
        malicious_tab.visit("organizations")  # so that the form is empty again
        malicious_tab.visit("access")
