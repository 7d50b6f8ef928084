"""Helpers that read a tested page."""

from collections.abc import Iterable
from urllib.parse import parse_qs

from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from lib.store.engine import reading, writing

FOR_STAFF = "This page is for API administrators, Support and Analysts."
USER = "adoyle"  # in UTCJF1: three requests pending and a token, in the demo
MARKUP = "<b>A</b> ![i](https://evil.example) **bold** :red[x] $y$ `c` _u_ www.evil.example"


def links(at: AppTest) -> list[tuple[str, str, dict[str, str]]]:
    """Return label, page and query parameters of each page link."""
    found = [link.proto for link in at.get("page_link")]
    return [
        (p.label, p.page, {k: v[0] for k, v in parse_qs(p.query_string).items()}) for p in found
    ]


def values(elements: Iterable) -> list[str]:
    """Return the text of each element."""
    return [element.value for element in elements]


def facts(at: AppTest) -> dict[str, str]:
    """Return a definition list: each caption with its text."""
    return dict(zip(values(at.main.caption), values(at.main.text), strict=False))


def execute_sql(engine: Engine, statement: str, **values: object) -> None:
    """Change the database while a page is open."""
    with writing(engine) as connection:
        connection.execute(text(statement), values)


def query(engine: Engine, statement: str, **values: object) -> list[tuple]:
    """Return the rows of a query."""
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def press(at: AppTest, label: str) -> AppTest:
    """Press the last button with that label: a dialog's button comes after those of the page."""
    [b for b in at.button if b.label == label][-1].click()
    return at.run()
