"""The one writer of CSV."""

import csv
import io
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.csv_writer import csv_bytes, disarm

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def cells_of(content: bytes) -> list[list[str]]:
    """Return the cells as Python's reader finds them."""
    text = content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def hostile_cells(count: int) -> list[str]:
    """Return cells that try to begin a formula, the same every time."""
    chance = random.Random(2)  # noqa: S311 - no secret
    formulas = ("=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")', "+1", "-1", "@SUM(1)")
    before = ("", " ", "\u00a0 ", "\t", "\r\n", ";", "x;", "x\n", '";"', ';"', "x; ", "\n;", "a,b;")
    return [
        "".join(chance.choices(before, k=chance.randint(0, 3)))
        + chance.choice((*formulas, *SIGNS))
        + chance.choice(("", ";", '"', "\n", ",x", "|", '";=1'))
        for _ in range(count)
    ]


class TestForm:
    """RFC 4180, for spreadsheets."""

    def test_byte_order_mark_and_line_ends(self):
        """UTF-8 with BOM, so that Excel reads it as UTF-8; every line ends in CRLF."""
        assert csv_bytes(("Name", "Status"), [("Zoë", "a")]) == (
            b"\xef\xbb\xbfName,Status\r\nZo\xc3\xab,a\r\n"
        )

    def test_no_rows(self):
        """The header stands alone."""
        assert csv_bytes(("Name",), []) == b"\xef\xbb\xbfName\r\n"

    @given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
    def test_what_is_written_is_read_back(self, rows):
        """Commas, quotation marks and line breaks survive; cells are as they were, or disarmed."""
        read = cells_of(csv_bytes(("a", "b"), rows))
        assert read == [["a", "b"], *([disarm(cell) for cell in row] for row in rows)]

    @given(CELLS)
    def test_disarming_only_adds_apostrophes(self, cell):
        """Nothing of the text is lost, and text that runs nothing stays as it is."""
        assert disarm(cell).replace("'", "") == cell.replace("'", "")
        if not re.search(r"[=+\-@|%\t\r\n＝＋－＠]", cell):
            assert disarm(cell) == cell

    @pytest.mark.parametrize(
        "name", ["Ana-Maria Núñez", "O'Brien", "a@example.com", "Smith; Jones", "50% off"]
    )
    def test_everyday_text_stays_as_it_is(self, name):
        """Signs inside of a name are no formula."""
        assert disarm(name) == name


class TestFormulas:
    """A cell that a spreadsheet could run is text."""

    @pytest.mark.parametrize("sign", SIGNS)
    @pytest.mark.parametrize("before", ["", " ", "\u00a0", "  \u00a0"])
    def test_each_sign(self, sign, before):
        """Also after blanks, which some spreadsheets trim."""
        assert disarm(f"{before}{sign}1") == f"'{before}{sign}1"

    def test_none_of_5000_cells_begins_with_a_sign(self):
        """Read as it is meant, with commas between cells."""
        read = cells_of(csv_bytes(("a",), [(cell,) for cell in hostile_cells(5_000)]))
        assert len(read) == 5_001
        assert [cell for (cell,) in read if cell.lstrip(" \u00a0").startswith(SIGNS)] == []

    def test_nor_where_semicolons_separate_cells(self):
        """Cut at each semicolon and line break, as a spreadsheet in much of Europe does."""
        cells = hostile_cells(5_000)
        text = csv_bytes(("a", "b"), [("UTCJF1", cell) for cell in cells]).decode()
        pieces = re.split(r"[;\r\n]", text)
        assert len(pieces) > 10_000
        runs = tuple(sign for sign in SIGNS if sign not in "\r\n")
        assert [p for p in pieces if p.lstrip(' \u00a0"').startswith(runs)] == []
