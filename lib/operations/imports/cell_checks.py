"""Clean the cells of an imported file, and say what is wrong with one."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from lib.domain.csv_writer import undo_disarm
from lib.domain.ids import SERVICE_ID
from lib.domain.search import composed

Value: TypeAlias = str | int | None
Check: TypeAlias = Callable[[str], Value]

LONGEST_NAME = 200
LONGEST_USERNAME = 100
LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, as errata 1690 has it
LONGEST_TEXT = 1_000
MOST_SEATS = 2**31 - 1  # what the column holds

# Control characters, and what turns the reading direction round, which makes one name look like
# another.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Unicode's White_Space, which is less than `\s`: U+001C to U+001F are control characters.
_WHITE_SPACE = re.compile(
    r"[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
)
# Unicode's Default_Ignorable_Code_Point, less what turns the reading direction round: shown as
# nothing, so that two different names look the same.
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065"
    r"\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
# Letters of some scripts join or part by U+200C and U+200D, and variation selectors choose between
# the forms of one ideograph: in names they mean something.
_IN_NAMES = re.compile(r"[\u180b-\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_LINE_BREAK = re.compile(r"\r\n?")
ORGANIZATION_ID = re.compile(r"[A-Z0-9]{6}")
_SERVICE_ID = re.compile(SERVICE_ID)
_USERNAME = re.compile(r"\S+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SEATS = re.compile(r"\d{1,10}", re.ASCII)
_SPREADSHEET_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]\d+", re.ASCII | re.IGNORECASE)


class CellError(ValueError):
    """A cell that is refused; the text is the reason."""


def clean(cell: str) -> str:
    """Return `cell` trimmed, without an exporter's apostrophe, its accents composed (NFC)."""
    return composed(undo_disarm(cell.strip()) if "'" in cell else cell)


def visible(text: str) -> str:
    """Return `text` without the characters that are shown as nothing."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def text(longest: int) -> Check:
    """Return the check of a text of one line."""

    def check(cell: str) -> str:
        if not _is_plain(cell):
            cell = _without_invisible(cell)
            _refuse_found(_CONTROL.search(cell), "control")
        return _refuse_long(cell, longest)

    return check


def name(longest: int = LONGEST_NAME) -> Check:
    """Return the check of a name: white space of any kind inside it becomes one space."""

    def check(cell: str) -> str:
        if "  " in cell or not _is_plain(cell):
            cell = _WHITE_SPACE.sub(" ", _without_invisible(cell)).strip()
            _refuse_found(_CONTROL.search(cell), "control")
        if not cell:
            raise CellError("must not be empty; fill it in")
        return _refuse_long(cell, longest)

    return check


def lines(longest: int) -> Check:
    """Return the check of a text of several lines; their ends become plain."""

    def check(cell: str) -> str:
        if not _is_plain(cell):
            cell = _without_invisible(_LINE_BREAK.sub("\n", cell))
            _refuse_found(_CONTROL.search(cell.replace("\n", "").replace("\t", "")), "control")
        return _refuse_long(cell, longest)

    return check


def _is_plain(cell: str) -> bool:
    """Tell of most cells that nothing in them is invisible or a control character."""
    return cell.isascii() and cell.isprintable()


def _without_invisible(cell: str) -> str:
    """Return `cell` without invisible characters, less those that mean something in names."""
    found = _INVISIBLE.sub(lambda each: each[0] if _IN_NAMES.match(each[0]) else "", cell)
    return found.strip()


def _refuse_long(cell: str, longest: int) -> str:
    if len(cell) > longest:
        msg = f"has {len(cell):,} characters; at most {longest:,} are taken"
        raise CellError(msg)
    return cell


def _refuse_found(found: re.Match[str] | None, kind: str) -> None:
    if found:
        msg = f"holds the {kind} character U+{ord(found[0]):04X}; delete it"
        raise CellError(msg)


def identifier(longest: int, pattern: re.Pattern[str], rule: str) -> Check:
    """Return the check of an id: `pattern`, of which `rule` tells, and nothing invisible."""

    def check(cell: str) -> str:
        if not _is_plain(cell):
            _refuse_found(_INVISIBLE.search(cell), "invisible")
            _refuse_found(_CONTROL.search(cell), "control")
        _refuse_long(cell, longest)
        if cell[:1] in "+-0123456789" and _SPREADSHEET_NUMBER.fullmatch(cell):
            raise CellError(
                "is a number as a spreadsheet shortens it, so digits are lost; format the column"
                " as text, enter it again, and save the file"
            )
        if not pattern.fullmatch(cell):
            raise CellError(rule)
        return cell

    return check


def or_empty(check: Check) -> Check:
    """Return `check`, for a cell that may be empty."""
    return lambda cell: check(cell) if cell else cell


def one_of(words: type[StrEnum]) -> Check:
    """Return the check of a word of `words`, in any case."""
    return translated({word.value: word.value for word in words})


def translated(words: Mapping[str, str]) -> Check:
    """Return the check of a word, in any case, that stands for a value of `words`."""
    known = sorted(set(words.values()))
    rest = sorted(set(words) - set(known))
    rule = f"must be one of {', '.join(known)}" + (f" (or {', '.join(rest)})" if rest else "")

    def check(cell: str) -> str:
        found = words.get(cell.lower())
        if found is None:
            raise CellError(rule)
        return found

    return check


def state(cell: str) -> Value:
    """Check the state that an organization is in."""
    return name()(cell.upper() if len(cell) == len("UT") else cell)


def day(cell: str) -> str:
    """Check a date, or nothing."""
    if cell:
        with suppress(ValueError):
            if _DATE.fullmatch(cell):
                return date.fromisoformat(cell).isoformat()
        raise CellError("must be a date written as 2026-01-31, or empty")
    return cell


def seats(cell: str) -> int | None:
    """Check a number of seats, or nothing."""
    if cell and not (_SEATS.fullmatch(cell) and int(cell) <= MOST_SEATS):
        raise CellError("must be a whole number, 0 or more, without signs or commas, or empty")
    return int(cell) if cell else None


organization_id = identifier(
    LONGEST_TEXT, ORGANIZATION_ID, "must be 6 characters, each a capital letter A-Z or a digit 0-9"
)
service_id = identifier(
    LONGEST_TEXT, _SERVICE_ID, "must be 1 to 32 lower-case letters a-z, digits or hyphens"
)
username = identifier(
    LONGEST_USERNAME, _USERNAME, "must be 1 to 100 characters without white space"
)
email = or_empty(
    identifier(LONGEST_EMAIL, _EMAIL, "must be an address with one @ and no white space, or empty")
)
