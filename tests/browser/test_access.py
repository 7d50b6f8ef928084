"""Access in a browser: a role is given, used at once, and gone at the next click."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.roles import Grant, Role
from lib.operations import grants
from lib.operations.database import open_database
from lib.operations.imports.import_directory import import_into
from lib.operations.imports.parse import parse
from lib.operations.unit_of_work import UnitOfWork
from lib.store.engine import writing
from tests.browser.browsing import Browsing
from tests.browser.conftest import PEPPER, Server
from tests.browser.test_hostile_names import (
    ADDRESSES,
    HTML,
    MARKDOWN,
    PEOPLE,
    WATCH,
    _files,
    _sheet,
    expect_text_only,
)

pytestmark = pytest.mark.browser
TOKENS = "api-tokens?org=UTCJF1&service=erecording"
USER = "adoyle"


def fill(tab: Browsing, username: str, role: str, *places: str) -> None:
    """Fill in the form, which runs nothing before it is sent."""
    tab.page.get_by_label("Username", exact=True).fill(username)
    for label, options in (("Role", (role,)), ("Where", places)):
        box = tab.page.get_by_role("combobox", name=label)
        for option in options:
            box.click()
            box.fill(option)
            box.press("Enter")
    tab.page.keyboard.press("Escape")


def choices(tab: Browsing) -> list[str]:
    """Return what Actions offers."""
    tab.page.get_by_role("combobox", name="Actions").click()
    options = tab.page.get_by_role("option")
    expect(options.first).to_be_visible()
    found = options.all_inner_texts()
    tab.page.keyboard.press("Escape")
    return found


def test_a_role_given_and_taken_away(server: Server, new_tab: Callable[..., Browsing]) -> None:
    """Support in one organization: just that, from the next click to the next click."""
    admin, user = new_tab(server.address), new_tab(server.address)
    user.open()
    user.pick("Signed in as", USER)
    expect(user.page.get_by_text("This page is for")).to_be_visible()

    admin.open("access")
    admin.heading("Access")
    assert admin.current_menu_item() == "Access"
    fill(admin, USER, "Support", "Juniper")
    admin.picture("access-form")
    admin.click("Grant")
    admin.page.get_by_text("adoyle is Support in UTCJF1 from the next click.").wait_for()
    admin.picture("access-granted")

    user.menu("My API tokens")
    user.menu("Organizations")
    links = user.page.get_by_test_id("stMain").get_by_role("link")
    expect(links).to_have_count(1)
    user.open(TOKENS)
    user.pick("Signed in as", USER)
    user.tick([0])
    user.selected("1 selected")
    assert set(choices(user)) == {
        "Request New API Token",
        "Remove API Token",
        "Cancel Pending Request",
    }
    user.pick("Actions", "Remove API Token")
    user.dialog().wait_for()

    admin.page.get_by_label("Search", exact=True).fill(USER)
    admin.page.get_by_label("Search", exact=True).press("Enter")
    admin.settle()
    admin.click("Revoke")
    admin.dialog().get_by_text("loses Support in Juniper County Recorder").wait_for()
    admin.picture("access-revoke")
    admin.dialog().get_by_role("button", name="Revoke", exact=True).click()
    admin.settle()
    admin.page.get_by_text("is no longer Support in UTCJF1.").wait_for()
    expect(admin.page.get_by_text("No grant matches")).to_be_visible()

    user.click("Confirm")
    user.picture("access-refused")
    expect(
        user.page.get_by_text("You may not do this, or no longer")
        .or_(user.page.get_by_text("This page is for"))
        .first
    ).to_be_visible()
    user.open(TOKENS)
    user.pick("Signed in as", USER)
    expect(user.page.get_by_text("This page is for")).to_be_visible()
    user.menu("My API tokens")
    assert user.current_menu_item() == "My API tokens"


def choose(tab: Browsing, label: str, option: str) -> None:
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


def tab_to(tab: Browsing, button: str) -> None:
    """Press Tab until a button has the focus."""
    for _ in range(6):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("document.activeElement.innerText") == button:
            return
    expect(tab.button(button)).to_be_focused()


def test_by_keyboard(tab: Browsing) -> None:
    """The form is filled in and sent, and the question answered, without a mouse."""
    tab.open("access")
    tab.page.get_by_label("Username", exact=True).focus()
    tab.page.keyboard.type("ivarga")
    choose(tab, "Role", "Support")
    choose(tab, "Where", "All organizations")
    tab.page.keyboard.press("Escape")
    tab_to(tab, "Grant")
    tab.page.keyboard.press("Enter")
    tab.settle()
    tab.page.get_by_text("ivarga is Support in all organizations").wait_for()
    tab.page.get_by_label("Search", exact=True).fill("ivarga support")
    tab.page.get_by_label("Search", exact=True).press("Enter")
    tab.settle()
    tab.button("Revoke").focus()
    tab.page.keyboard.press("Enter")
    tab.settle()
    question = tab.dialog().get_by_role("button", name="Revoke", exact=True)
    expect(question).to_be_visible()
    question.focus()
    tab.page.keyboard.press("Space")
    tab.settle()
    tab.page.get_by_text("is no longer Support").wait_for()


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, serve: Callable[[str], Server]) -> Server:
    """A dashboard on a directory whose every name is an attack, with a role for everybody."""
    database = f"sqlite:///{tmp_path_factory.mktemp('evil') / 'evil.db'}"
    engine = open_database(database)
    files = {name: parse(name, _sheet(rows)) for name, rows in _files().items()}
    unit_of_work = UnitOfWork(engine, clock.now, AuditKeyring.of({1: PEPPER}))
    with writing(engine) as connection:
        assert import_into(connection, files, clock.now()).all_taken
        connection.execute(
            text("UPDATE user_account SET name = name || :mark WHERE username = 'long'"),
            {"mark": "\u202e\u2066evil"},
        )
    grants.grant_by_command(unit_of_work, "root", [Grant(Role.ADMINISTRATOR)])
    root = grants.COMMAND_LINE._replace(username="root")
    for username, _, _ in PEOPLE:
        grants.grant(
            unit_of_work, root, username, [Grant(Role.SUPPORT, "EVIL01"), Grant(Role.ANALYST)]
        )
    with writing(engine) as connection:
        connection.execute(text("UPDATE role_grant SET granted_by = :by"), {"by": MARKDOWN})
    engine.dispose()
    return serve(database)


@pytest.fixture
def hostile(new_tab: Callable[..., Browsing], evil: Server) -> Iterator[Browsing]:
    """A tab in which nothing but our own server is asked, and no box pops up."""
    tab = new_tab(evil.address)
    foreign: list[str] = []
    boxes: list[str] = []
    tab.page.add_init_script(WATCH)
    tab.page.on("request", lambda request: foreign.append(request.url))
    tab.page.on("dialog", lambda box: (boxes.append(box.message), box.dismiss()))
    yield tab
    expect_text_only(tab.page)
    ours = (evil.address, "data:", "blob:")
    assert [url for url in foreign if not url.startswith(ours)] == []
    assert boxes == []


def test_names_are_text(hostile: Browsing) -> None:
    """In the table, in each question, in the form and in the sentences."""
    hostile.open("access")
    hostile.page.get_by_text("What each role may do").wait_for()
    expect_text_only(hostile.page)
    hostile.picture("hostile-access")
    buttons = hostile.page.get_by_role("button", name="Revoke", exact=True)
    assert buttons.count() == 2 * len(PEOPLE) + 1
    for number in range(0, 2 * len(PEOPLE), 3):
        buttons.nth(number).click()
        hostile.settle()
        expect(hostile.dialog().get_by_text("at the next click")).to_be_visible()
        expect_text_only(hostile.page)
        hostile.click("Keep it")
    expect(hostile.dialog()).to_have_count(0)
    where = hostile.page.get_by_role("combobox", name="Where")
    where.click()
    where.fill("EVIL01")
    expect(hostile.page.get_by_role("option").first).to_be_visible()
    expect_text_only(hostile.page)
    hostile.page.keyboard.press("Escape")


@pytest.mark.parametrize("typed", [MARKDOWN, HTML, ADDRESSES, PEOPLE[0][0]])
def test_what_is_typed_is_text(hostile: Browsing, typed: str) -> None:
    """A search without a hit, an unknown username, and the sentence after a grant."""
    hostile.open("access")
    field = hostile.page.get_by_label("Search", exact=True)
    field.fill(f"{typed} nobody")
    field.press("Enter")
    hostile.settle()
    expect(hostile.page.get_by_text("No grant matches")).to_be_visible()
    expect_text_only(hostile.page)
    fill(hostile, typed, "Analyst", "EVIL01")
    hostile.click("Grant")
    known = typed == PEOPLE[0][0]
    told = "is Analyst in" if known else "The directory has nobody of that username"
    expect(hostile.page.get_by_test_id("stAlert").get_by_text(told)).to_be_visible()
    expect_text_only(hostile.page)
