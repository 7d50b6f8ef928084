"""A directory whose every name is an attack: on each page it is text, and in the CSV it is data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from lib.domain.roles import Grant, Role
from tests.support.browser import Tab, rows_of
from tests.support.dashboards import Dashboard, Dashboards
from tests.support.malicious_names import (
    ADDRESSES,
    HTML,
    MARKDOWN,
    ORGANIZATION,
    PEOPLE,
    SERVICE,
    expect_text_only,
    malicious_names,
    nothing_foreign,
    username,
    write_directory,
)

pytestmark = pytest.mark.browser
SIGNS = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
HOW_MANY = 500
A_PAGE = 25
PLACE = f"org=EVIL01&service={SERVICE}"
PAGES = (
    *("organizations", f"contact?{PLACE}", f"services?{PLACE}", f"license?{PLACE}"),
    *(f"notifications?{PLACE}", f"api-tokens?{PLACE}", "coverage", "my-api-tokens", "help"),
    *("activity", "recall", "access", f"person?user={quote(PEOPLE[0][0])}"),
    f"person?user={quote(ADDRESSES)}",
    f"contact?org={quote(MARKDOWN)}",
    f"license?org=EVIL01&service={quote(HTML)}",
    f"api-tokens?org={quote(ADDRESSES)}&service={SERVICE}",
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That directory as a SQLite file, with five hundred people more."""
    path = tmp_path_factory.mktemp("malicious") / "directory.db"
    write_directory(path, [("root", Grant(Role.ADMINISTRATOR))], more=HOW_MANY)
    return path


@pytest.fixture
def server(dashboards: Dashboards, directory: Path) -> Dashboard:
    """A dashboard on that directory."""
    return dashboards.showing(directory)


@pytest.fixture
def tab(new_tab: Callable[..., Tab], server: Dashboard) -> Iterator[Tab]:
    """A tab in which, to the end, nothing but our own server is asked and no box pops up."""
    with nothing_foreign(new_tab(server.address)) as tab:
        tab.open(f"api-tokens?{PLACE}")
        yield tab


def test_names_are_text_on_every_page_and_in_the_menu(tab: Tab, server: Dashboard) -> None:
    """With addresses of the same kind typed by hand; a service's name is also the way back."""
    for path in PAGES:
        tab.visit(path)
        expect_text_only(tab.page)
    expect(tab.page.get_by_text("evil.example").first).to_be_visible()
    server.execute("UPDATE service SET name = :name", name=MARKDOWN)
    for path in PAGES[2:6]:
        tab.visit(path)
        expect_text_only(tab.page)
        expect(tab.page.get_by_test_id("stSidebarNav")).to_contain_text("link")


def page_through(tab: Tab, pages: int) -> int:
    """Turn every page of a list; return how many there were."""
    seen = 1
    expect_text_only(tab.page)
    while seen < pages:
        tab.click(tab.page.get_by_role("button", name="Next page"))
        expect_text_only(tab.page)
        seen += 1
    return seen


@pytest.mark.parametrize(
    ("names", "step"), [(3 * A_PAGE, 100), pytest.param(HOW_MANY + 1, 1, marks=pytest.mark.soak)]
)
def test_names_are_text_in_lists_and_on_pages_of_their_own(tab: Tab, names: int, step: int) -> None:
    """Of organizations and people, in pages of a list; one in `step` of them on its own page."""
    for path in ("organizations", "access"):
        tab.visit(path)
        pages = page_through(tab, -(-names // A_PAGE))
        print(f"{path}: {names} names on {pages} pages, 0 added nodes, 0 requests elsewhere")
    malicious = list(enumerate(malicious_names(HOW_MANY)))
    for number, name in malicious[::step]:
        tab.visit(f"contact?org=H{number:05}")
        expect_text_only(tab.page)
        tab.visit(f"person?user={quote(username(number, name), safe='')}")
        expect_text_only(tab.page)


def test_malicious_input_is_shown_as_text(tab: Tab) -> None:
    """In searches without a hit, and as the username of somebody unknown."""
    tab.visit("organizations")
    for typed in (f"{ADDRESSES} {MARKDOWN}", HTML):  # the field takes no more at once
        tab.enter("Search", typed)
        expect(tab.page.get_by_text("No organization matches")).to_be_visible()
        expect_text_only(tab.page)
    tab.visit(f"api-tokens?{PLACE}")
    tab.search(f"{ADDRESSES} {MARKDOWN} nobody")
    expect(tab.page.get_by_text("No users match")).to_be_visible()
    expect_text_only(tab.page)
    tab.pick("Signed in as", f"{ADDRESSES} {MARKDOWN}")
    expect(tab.page.get_by_text("There is no user")).to_be_visible()


def test_a_user_sees_their_organizations_name_as_text(tab: Tab) -> None:
    """On My API tokens, in the list and in the question before a decline."""
    tab.click(f"Select all {len(PEOPLE)} matching")
    tab.pick("Actions", "Add New Tokens")
    expect(tab.dialog().get_by_text("1 is skipped")).to_be_visible()
    expect_text_only(tab.page)
    tab.click(tab.confirming_button())
    expect(tab.page.get_by_text("9 new tokens requested")).to_be_visible()
    expect_text_only(tab.page)
    with tab.page.expect_download() as results:
        tab.button("Download results").click()
    cells = [cell for row in rows_of(results.value) for cell in row.values()]
    assert [cell for cell in cells if is_formula(cell)] == []
    tab.pick("Signed in as", "www.evil.example")
    tab.menu("My API tokens")
    tab.click("Decline")
    expect(tab.dialog()).to_be_visible()
    tab.screenshot("hostile-decline")


def test_names_are_text_in_the_confirmations_and_data_in_the_csv(tab: Tab) -> None:
    """No cell of the CSV is run by a spreadsheet; the names are there as written."""
    tab.click(f"Select all {len(PEOPLE)} matching")
    tab.pick("Actions", "Generate & Export Tokens")
    expect(
        tab.dialog().get_by_text("10 selected: 9 get a new token, 1 is skipped.")
    ).to_be_visible()
    expect_text_only(tab.page)
    tab.screenshot("hostile-confirm-1")
    tab.type_to_confirm(9)
    expect_text_only(tab.page)
    tab.screenshot("hostile-confirm-2")
    with tab.page.expect_download() as started:
        tab.download_button().click()
    expect(tab.page.get_by_text("9 tokens generated and exported")).to_be_visible()
    tab.screenshot("hostile-receipt")
    rows = rows_of(started.value)
    assert started.value.suggested_filename.startswith(f"EVIL01-{SERVICE}-")
    assert {row["Username"].removeprefix("'") for row in rows} == {u for u, _, _ in PEOPLE[:-1]}
    assert {row["Organization"] for row in rows} == {ORGANIZATION}
    assert [cell for row in rows for cell in row.values() if is_formula(cell)] == []


def is_formula(cell: str) -> bool:
    """Tell whether a spreadsheet could take a cell for a formula, or a part cut at a semicolon."""
    parts = cell.replace("\r", ";").replace("\n", ";").split(";")
    return any(part.lstrip(' \u00a0"').startswith(SIGNS) for part in parts)
