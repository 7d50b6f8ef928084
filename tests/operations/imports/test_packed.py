"""Rows in little memory."""

import tracemalloc

import pytest

from lib.operations.imports import packed
from lib.operations.imports.packed import PackedRows, Row
from lib.operations.imports.parse import parse
from tests.operations.imports.base_directory import HEADER


def rows(*usernames: str) -> list[Row]:
    """Return rows of usernames, from line 2."""
    return [Row(n, {"username": u, "seats": None}) for n, u in enumerate(usernames, 2)]


class TestPackedRows:
    """What is put in comes out."""

    @pytest.mark.parametrize("parts", [1, 2, 7])
    def test_rows_come_back_whole(self, parts):
        """Text of any script, numbers, and nothing; more than wait to be packed."""
        given = rows("zoë", "太郎", "\U0001f600", '"\\', *(f"u{n}" for n in range(300)))
        kept = PackedRows(("username", "seats"), parts)
        for row in given:
            kept.add(row)
        assert len(kept) == len(given)
        assert sorted(kept) == given
        assert sum(len(part) for part in kept.parts()) == len(given)
        assert list(kept.emptied()) == []

    def test_rows_that_differ_by_case_share_a_part(self):
        """Or they would not be compared."""
        kept = PackedRows(("username", "seats"), 1_000)
        for row in rows("jdoe", "JDoe", "zoë", "ZOE\u0308", "strasse", "STRAßE"):
            kept.add(row)
        assert sorted(len(part) for part in kept.parts()) == [2, 2, 2]


class TestMemory:
    """A file may be as large as TOKEN_DESK_IMPORT_MAX."""

    @pytest.mark.parametrize("status", ["active", "asleep"])
    @pytest.mark.parametrize("rows", [30_000, pytest.param(60_000, marks=pytest.mark.soak)])
    def test_reading_takes_less_than_four_times_the_file(self, status, rows):
        """Whether its rows are good or refused; the file itself is counted."""
        lines = "".join(
            f"u{n:05},Given{n} Family{n},u{n:05}@example.com,UTCJF1,{status}\n" for n in range(rows)
        )
        content = f"{HEADER}\n{lines}".encode()
        parse("users", content[:10_000])  # what is made once stays
        tracemalloc.start()
        parsed = parse("users", content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(parsed.rows) + len(parsed.refusals) == rows
        assert peak + len(content) < 4 * len(content)

    def test_conflicts_are_found_when_rows_are_in_parts(self, monkeypatch):
        """Those of one username are in one part."""
        monkeypatch.setattr(packed, "PART_BYTES", 100)
        names = [f"u{n}" for n in range(50)]
        once = [f"{name},N,,UTCJF1,active" for name in names]
        again = [f"{name},M,,UTTAN1,active" for name in names[:10]]
        content = "\n".join([HEADER, *once, *again]).encode()
        parsed = parse("users", content)
        assert [r.line for r in parsed.refusals] == [*range(2, 12), *range(52, 62)]
        assert {row.line for row in parsed.rows} == set(range(12, 52))
