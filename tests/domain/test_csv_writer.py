"""The CSV writer: its format, and cells that could be formulas."""

import csv
import io
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.csv_writer import csv_bytes, disarm, undo_disarm

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def cells_of(content: bytes) -> list[list[str]]:
    """Return the cells that Python's CSV reader finds."""
    text = content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def hostile_cells(count: int) -> list[str]:
    """Return cells that try to begin a formula; the same at every run."""
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
    """The files follow RFC 4180 as spreadsheets read it."""

    def test_byte_order_mark_and_line_ends(self):
        """A file begins with a BOM, so that Excel reads UTF-8, and every line ends in CRLF."""
        assert csv_bytes(("Name", "Status"), [("Zoë", "a")]) == (
            b"\xef\xbb\xbfName,Status\r\nZo\xc3\xab,a\r\n"
        )

    def test_no_rows(self):
        """A file without rows has only its header."""
        assert csv_bytes(("Name",), []) == b"\xef\xbb\xbfName\r\n"

    @given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
    def test_what_is_written_is_read_back(self, rows):
        """Commas, quotation marks and line breaks are kept; cells are unchanged or disarmed."""
        read = cells_of(csv_bytes(("a", "b"), rows))
        assert read == [["a", "b"], *([disarm(cell) for cell in row] for row in rows)]

    @given(CELLS.filter(lambda cell: "'" not in cell))
    def test_disarming_can_be_undone(self, cell):
        """Whatever the cell is, as long as it had no apostrophe of its own."""
        assert undo_disarm(disarm(cell)) == cell

    def test_disarming_can_be_undone_when_cells_try_to_begin_a_formula(self):
        """Those cells have apostrophes in several places."""
        cells = [cell.replace("'", "") for cell in hostile_cells(5_000)]
        assert [undo_disarm(disarm(cell)) for cell in cells] == cells

    @given(CELLS)
    def test_disarming_only_adds_apostrophes(self, cell):
        """No text is lost, and a harmless cell is unchanged."""
        assert disarm(cell).replace("'", "") == cell.replace("'", "")
        if not re.search(r"[=+\-@|%\t\r\n＝＋－＠]", cell):
            assert disarm(cell) == cell

    @pytest.mark.parametrize(
        "name", ["Ana-Maria Núñez", "O'Brien", "a@example.com", "Smith; Jones", "50% off"]
    )
    def test_everyday_text_stays_as_it_is(self, name):
        """A sign inside of a name does not begin a formula."""
        assert disarm(name) == name


class TestFormulas:
    """No cell can run as a formula."""

    @pytest.mark.parametrize("sign", SIGNS)
    @pytest.mark.parametrize("before", ["", " ", "\u00a0", "  \u00a0"])
    def test_each_sign(self, sign, before):
        """A sign is disarmed at the start, also after blanks, which some spreadsheets trim."""
        assert disarm(f"{before}{sign}1") == f"'{before}{sign}1"

    def test_none_of_5000_cells_begins_with_a_sign(self):
        """No cell begins with a sign when commas separate cells."""
        read = cells_of(csv_bytes(("a",), [(cell,) for cell in hostile_cells(5_000)]))
        assert len(read) == 5_001
        assert [cell for (cell,) in read if cell.lstrip(" \u00a0").startswith(SIGNS)] == []

    def test_nor_where_semicolons_separate_cells(self):
        """No cell begins with a sign when a spreadsheet cuts at semicolons and line breaks."""
        cells = hostile_cells(5_000)
        text = csv_bytes(("a", "b"), [("UTCJF1", cell) for cell in cells]).decode()
        pieces = re.split(r"[;\r\n]", text)
        assert len(pieces) > 10_000
        runs = tuple(sign for sign in SIGNS if sign not in "\r\n")
        assert [p for p in pieces if p.lstrip(' \u00a0"').startswith(runs)] == []
