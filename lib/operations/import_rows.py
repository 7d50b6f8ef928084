"""Read the directory's CSV files, as a spreadsheet writes them, row by row and each cell checked.

Nothing here asks the database: what a file says about itself alone.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from lib.domain.ids import SERVICE_ID
from lib.domain.states import OrganizationType, Status

Value: TypeAlias = str | int | None
Values: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[Any, ...]
Check: TypeAlias = Callable[[str], Value]

LONGEST_NAME = 200
LONGEST_USERNAME = 100
LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, as errata 1690 has it
LONGEST_TEXT = 1_000
MOST_SEATS = 2**31 - 1  # what the column holds

STAFF_RULE = "a staff account belongs to no organization"
STAFF_FIX = "give the staff account a username of its own"

# Control characters, the line and paragraph separators, and what turns the reading direction
# round, which makes one name look like another.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = re.compile(r"\r\n?")
_ORGANIZATION_ID = re.compile(r"[A-Z0-9]{6}")
_SERVICE_ID = re.compile(SERVICE_ID)
_USERNAME = re.compile(r"\S+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SEATS = re.compile(r"\d{1,10}", re.ASCII)


class FileError(ValueError):
    """A file that cannot be used at all; the text says why and how to mend it."""


class _CellError(ValueError):
    """A cell that is refused; the text is the reason."""


class Refusal(NamedTuple):
    """A row that is not taken; `line` is where it starts in the file, the header being line 1."""

    line: int
    field: str
    value: str
    reason: str


class Row(NamedTuple):
    """A row that was read well: checked values by column."""

    line: int
    values: Values


@dataclass(frozen=True, slots=True)
class Parsed:
    """One file, read: rows to take, rows refused, and the columns that nobody knows."""

    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...]
    ignored: tuple[str, ...] = ()

    def refusing(self, refusals: Iterable[Refusal]) -> "Parsed":
        """Return the same file with more of its rows refused."""
        more = tuple(refusals)
        lines = {refusal.line for refusal in more}
        rows = tuple(row for row in self.rows if row.line not in lines)
        return replace(self, rows=rows, refusals=tuple(sorted(self.refusals + more)))


@dataclass(frozen=True, slots=True)
class ImportSchema:
    """What a file holds: the checks of its columns, keys first, and which must be there."""

    key: tuple[str, ...]
    checks: Mapping[str, Check]
    required: tuple[str, ...]


def _text(longest: int, *, required: bool = False, lines: bool = False) -> Check:
    def check(cell: str) -> str:
        if required and not cell:
            raise _CellError("must not be empty")
        if len(cell) > longest:
            msg = f"has {len(cell):,} characters; at most {longest:,} are taken"
            raise _CellError(msg)
        if not cell.isprintable():
            _refuse_control(cell, lines=lines)
        return cell

    return check


def _refuse_control(cell: str, *, lines: bool) -> None:
    found = _CONTROL.search(cell.replace("\n", "").replace("\t", "") if lines else cell)
    if found:
        msg = f"holds the control character U+{ord(found[0]):04X}; delete it"
        raise _CellError(msg)


def _pattern(longest: int, pattern: re.Pattern[str], rule: str, *, empty: bool = False) -> Check:
    plain = _text(longest)

    def check(cell: str) -> Value:
        if (cell or not empty) and not pattern.fullmatch(cell):
            plain(cell)
            raise _CellError(rule)
        return plain(cell)

    return check


def _one_of(words: type[StrEnum]) -> Check:
    known = {word.value for word in words}
    rule = f"must be one of {', '.join(sorted(known))}"

    def check(cell: str) -> str:
        if cell.lower() not in known:
            raise _CellError(rule)
        return cell.lower()

    return check


def _state(cell: str) -> Value:
    return _text(LONGEST_NAME, required=True)(cell.upper() if len(cell) == len("UT") else cell)


def _date(cell: str) -> str:
    if cell:
        with suppress(ValueError):
            if _DATE.fullmatch(cell):
                return date.fromisoformat(cell).isoformat()
        raise _CellError("must be a date written as 2026-01-31, or empty")
    return cell


def _seats(cell: str) -> int | None:
    if cell and not (_SEATS.fullmatch(cell) and int(cell) <= MOST_SEATS):
        raise _CellError("must be a whole number, 0 or more, without signs or commas, or empty")
    return int(cell) if cell else None


_organization_id = _pattern(
    LONGEST_TEXT, _ORGANIZATION_ID, "must be 6 characters, each a capital letter A-Z or a digit 0-9"
)
_service_id = _pattern(
    LONGEST_TEXT, _SERVICE_ID, "must be 1 to 32 lower-case letters a-z, digits or hyphens"
)
_username = _pattern(LONGEST_USERNAME, _USERNAME, "must be 1 to 100 characters without white space")
_email = _pattern(
    LONGEST_EMAIL, _EMAIL, "must be an address with one @ and no white space, or empty", empty=True
)
_name = _text(LONGEST_NAME, required=True)
_line = _text(LONGEST_TEXT)
_lines = _text(LONGEST_TEXT, lines=True)
_status = _one_of(Status)


def _staff_or(cell: str) -> Value:
    return _organization_id(cell) if cell else cell


def _schema(key: Sequence[str], required: Mapping[str, Check], **optional: Check) -> ImportSchema:
    return ImportSchema(tuple(key), {**required, **optional}, tuple(required))


#: What each file may hold, in the order in which files are taken.
SCHEMAS: Mapping[str, ImportSchema] = MappingProxyType({
    "organizations": _schema(
        ("organization_id",),
        {
            "organization_id": _organization_id,
            "name": _name,
            "type": _one_of(OrganizationType),
            "status": _status,
            "state": _state,
        },
        contact_person=_line,
        primary_recorder=_line,
        address=_lines,
        telephone=_line,
        fax=_line,
        web_page=_line,
        hours=_lines,
        document_types=_lines,
    ),
    "services": _schema(("service",), {"service": _service_id, "name": _name}),
    "subscriptions": _schema(
        ("organization_id", "service"),
        {"organization_id": _organization_id, "service": _service_id, "status": _status},
        since=_date,
        license_number=_line,
        plan=_line,
        starts_on=_date,
        renews_on=_date,
        seats=_seats,
        notify_recorded=_line,
        notify_rejected=_line,
        notify_fees=_line,
        notify_to=_lines,
    ),
    "users": _schema(
        ("username", "organization_id"),
        {
            "username": _username,
            "organization_id": _staff_or,
            "name": _name,
            "email": _email,
            "status": _status,
        },
    ),
})  # fmt: skip


def parse(name: str, content: bytes) -> Parsed:
    """Return the rows of the file `name` (a key of SHEETS), checked as far as the file alone goes.

    Rows without text in any cell are passed over: a spreadsheet leaves some at the end.

    Raises:
        FileFault: The file is no CSV in UTF-8, or its header is not what it must be.
    """
    sheet = SCHEMAS[name]
    lines = _lines_of(_decoded(content))
    header = _header(next(lines, (1, []))[1], sheet)
    columns = {column: header.index(column) for column in sheet.checks if column in header}
    results = [
        _checked(sheet, columns, len(header), line, cells) for line, cells in lines if any(cells)
    ]
    rows = tuple(result for result in results if isinstance(result, Row))
    refusals = tuple(result for result in results if isinstance(result, Refusal))
    ignored = tuple(column for column in header if column and column not in columns)
    parsed = Parsed(rows, refusals, ignored)
    parsed = parsed.refusing(_repeated(parsed.rows, sheet.key))
    if name == "users":
        parsed = parsed.refusing(_disagreeing(parsed.rows))
        parsed = parsed.refusing(_staff_and_user(parsed.rows))
    return parsed


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"line {line} is not UTF-8; save the file as CSV UTF-8"
        raise FileError(msg) from None
    if not text.strip():
        raise FileError("the file is empty; its first line must name the columns")
    return text


def _lines_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's cells, cleaned, with the line on which the row starts."""
    # The limit is for the whole process, and a cell that is too long is refused with its row.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, [_cleaned(cell) for cell in cells]
            start = reader.line_num + 1
    except csv.Error:
        msg = (
            f'in the row that starts on line {start} a quotation mark (") never closes or stands'
            " inside a quoted cell; write it twice there, or save the file as CSV again"
        )
        raise FileError(msg) from None


def _delimiter(text: str) -> str:
    """Return what stands between cells: a spreadsheet writes semicolons in much of the world."""
    return max(",;\t", key=text.partition("\n")[0].count)


def as_username(text: str) -> str:
    """Return a typed username as it would be read from a file's cell."""
    return _cleaned(text)


def _cleaned(cell: str) -> str:
    """Return `cell` trimmed, its accents composed (NFC) and its line breaks plain."""
    cell = cell.strip()
    if "\r" in cell:
        cell = _LINE_BREAK.sub("\n", cell)
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def _header(cells: Sequence[str], sheet: ImportSchema) -> list[str]:
    header = [cell.lower() for cell in cells]
    if missing := [column for column in sheet.required if column not in header]:
        msg = (
            f"the first line lacks the column {' and '.join(missing)};"
            f" it must name {', '.join(sheet.required)}"
        )
        raise FileError(msg)
    if twice := [column for column in sheet.checks if header.count(column) > 1]:
        msg = f"the first line names the column {' and '.join(twice)} twice; delete one"
        raise FileError(msg)
    return header


def _checked(
    sheet: ImportSchema, columns: Mapping[str, int], width: int, line: int, cells: Sequence[str]
) -> Row | Refusal:
    if extra := "".join(cells[width:]):
        reason = "is one cell more than the header has; put text with a comma in quotation marks"
        return Refusal(line, "row", extra, reason)
    values: Values = {}
    for column, at in columns.items():
        cell = cells[at] if at < len(cells) else ""  # some spreadsheets leave out empty ends
        try:
            values[column] = sheet.checks[column](cell)
        except _CellError as fault:
            return Refusal(line, column, cell, str(fault))
    return Row(line, values)


def _repeated(rows: Iterable[Row], key: Sequence[str]) -> Iterator[Refusal]:
    first: dict[Key, int] = {}
    for row in rows:
        known = first.setdefault(key_of(row.values, key), row.line)
        if known != row.line:
            reason = f"repeats {' and '.join(key)} of line {known}; keep one of the two"
            yield Refusal(row.line, key[0], row.values[key[0]], reason)


def _disagreeing(rows: Sequence[Row]) -> Iterator[Refusal]:
    """Refuse every row of a username whose rows differ in name or e-mail."""
    for alike in _by_username(rows):
        for column in ("name", "email"):
            if any(row.values[column] != alike[0].values[column] for row in alike):
                yield from _differing(alike, column)
                break


def _staff_and_user(rows: Sequence[Row]) -> Iterator[Refusal]:
    """Refuse every row of a username that is a staff account here and a user there."""
    for alike in _by_username(rows):
        staff = next((row for row in alike if not row.values["organization_id"]), None)
        user = next((row for row in alike if row.values["organization_id"]), None)
        if staff and user:
            for row in alike:
                other = user if row is staff else staff
                reason = (
                    f"{STAFF_RULE}, but line {other.line} says otherwise of"
                    f" {row.values['username']}; {STAFF_FIX}"
                )
                yield Refusal(row.line, "organization_id", row.values["organization_id"], reason)


def _by_username(rows: Iterable[Row]) -> Iterable[list[Row]]:
    of_username: dict[str, list[Row]] = {}
    for row in rows:
        of_username.setdefault(row.values["username"], []).append(row)
    return of_username.values()


def _differing(rows: Sequence[Row], column: str) -> Iterator[Refusal]:
    first = rows[0]
    other = next(row for row in rows if row.values[column] != first.values[column])
    for row in rows:
        against = other if row.values[column] == first.values[column] else first
        reason = (
            f"differs from line {against.line} for the username"
            f" {row.values['username']}; a person has one {column}"
        )
        yield Refusal(row.line, column, row.values[column], reason)


def key_of(values: Values, key: Sequence[str]) -> Key:
    """Return what makes a row the same as one that is stored."""
    return tuple(values[column] for column in key)
