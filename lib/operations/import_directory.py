"""Take a directory from CSV files, as a spreadsheet writes them, in one transaction.

Every row is read and checked before anything is written. A row adds what is new and updates what
differs, by its key; a column that a file does not have leaves what is stored as it is.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, Engine

from lib.domain.clock import Moment
from lib.domain.ids import new_ids
from lib.domain.search import fold
from lib.domain.states import OrganizationType, Status
from lib.store import import_queries
from lib.store.engine import writing

Value: TypeAlias = str | int | None
Values: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[Any, ...]
Check: TypeAlias = Callable[[str], Value]

LONGEST_NAME = 200
LONGEST_USERNAME = 100
LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, as errata 1690 has it
LONGEST_TEXT = 1_000
MOST_SEATS = 2**31 - 1  # what the column holds

# Control characters, the line and paragraph separators, and what turns the reading direction
# round, which makes one name look like another.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = re.compile(r"\r\n?")
_ORGANIZATION_ID = re.compile(r"[A-Z0-9]{6}")
_SERVICE_ID = re.compile(r"[a-z0-9-]{1,32}")
_USERNAME = re.compile(r"\S+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SEATS = re.compile(r"\d{1,10}", re.ASCII)


class FileFault(ValueError):
    """A file that cannot be used at all; the text says why and how to mend it."""


class _CellFault(ValueError):
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
class FileReport:
    """What became of one file. Counts are rows of the file."""

    added: int
    updated: int
    unchanged: int
    refusals: tuple[Refusal, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all files, by name. `written` is False when refused rows held all back."""

    files: Mapping[str, FileReport]
    written: bool

    @property
    def all_taken(self) -> bool:
        """Tell whether no row was refused."""
        return not any(file.refusals for file in self.files.values())


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What a file holds: the checks of its columns, keys first, and which must be there."""

    key: tuple[str, ...]
    checks: Mapping[str, Check]
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _People:
    """What is stored about the usernames of a users file."""

    accounts: Mapping[str, import_queries.StoredAccount]
    members: Mapping[tuple[str, str], str]

    def rows(self) -> dict[Key, Values]:
        """Return the same as rows of a users file, by its key."""
        places = dict(self.members)
        places |= {(u, ""): a.staff_status for u, a in self.accounts.items() if a.staff_status}
        return {
            (username, place): {
                "username": username,
                "organization_id": place,
                "name": self.accounts[username].name,
                "email": self.accounts[username].email,
                "status": status,
            }
            for (username, place), status in places.items()
        }

    def staff_status(self, username: str) -> str | None:
        """Return the staff status of `username`; None for everyone else."""
        account = self.accounts.get(username)
        return account.staff_status if account else None

    def renames(self, person: Values) -> bool:
        """Tell whether `person` has an account with another name or e-mail."""
        account = self.accounts.get(person["username"])
        return account is not None and account[:2] != (person["name"], person["email"])

    def differs(self, person: Values) -> bool:
        """Tell whether `person` has an account that is not exactly this one."""
        account = self.accounts.get(person["username"])
        return account is not None and (
            self.renames(person) or account.staff_status != person["staff_status"]
        )


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The rows of one file against what is stored."""

    added: list[Values] = field(default_factory=list)
    updated: list[Values] = field(default_factory=list)
    unchanged: int = 0

    @property
    def changes(self) -> list[Values]:
        """Return everything that has to be written."""
        return self.added + self.updated


def _text(longest: int, *, required: bool = False, lines: bool = False) -> Check:
    def check(cell: str) -> str:
        if required and not cell:
            raise _CellFault("must not be empty")
        if len(cell) > longest:
            msg = f"has {len(cell):,} characters; at most {longest:,} are taken"
            raise _CellFault(msg)
        if not cell.isprintable():
            _refuse_control(cell, lines=lines)
        return cell

    return check


def _refuse_control(cell: str, *, lines: bool) -> None:
    found = _CONTROL.search(cell.replace("\n", "").replace("\t", "") if lines else cell)
    if found:
        msg = f"holds the control character U+{ord(found[0]):04X}; delete it"
        raise _CellFault(msg)


def _pattern(longest: int, pattern: re.Pattern[str], rule: str, *, empty: bool = False) -> Check:
    plain = _text(longest)

    def check(cell: str) -> Value:
        if (cell or not empty) and not pattern.fullmatch(cell):
            plain(cell)
            raise _CellFault(rule)
        return plain(cell)

    return check


def _one_of(words: type[StrEnum]) -> Check:
    known = {word.value for word in words}
    rule = f"must be one of {', '.join(sorted(known))}"

    def check(cell: str) -> str:
        if cell.lower() not in known:
            raise _CellFault(rule)
        return cell.lower()

    return check


def _state(cell: str) -> Value:
    return _text(LONGEST_NAME, required=True)(cell.upper() if len(cell) == len("UT") else cell)


def _date(cell: str) -> str:
    if cell:
        with suppress(ValueError):
            if _DATE.fullmatch(cell):
                return date.fromisoformat(cell).isoformat()
        raise _CellFault("must be a date written as 2026-01-31, or empty")
    return cell


def _seats(cell: str) -> int | None:
    if cell and not (_SEATS.fullmatch(cell) and int(cell) <= MOST_SEATS):
        raise _CellFault("must be a whole number, 0 or more, without signs or commas, or empty")
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


def _sheet(key: Sequence[str], required: Mapping[str, Check], **optional: Check) -> _Sheet:
    return _Sheet(tuple(key), {**required, **optional}, tuple(required))


#: What each file may hold, in the order in which files are taken.
SHEETS: Mapping[str, _Sheet] = MappingProxyType({
    "organizations": _sheet(
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
    "services": _sheet(("service",), {"service": _service_id, "name": _name}),
    "subscriptions": _sheet(
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
    "users": _sheet(
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

_TABLES = {
    "organizations": "organization",
    "services": "service",
    "subscriptions": "subscription",
}
_COLUMNS = {"service": "service_id"}  # where the table's name of a column is not the file's


def parse(name: str, content: bytes) -> Parsed:
    """Return the rows of the file `name` (a key of SHEETS), checked as far as the file alone goes.

    Rows without text in any cell are passed over: a spreadsheet leaves some at the end.

    Raises:
        FileFault: The file is no CSV in UTF-8, or its header is not what it must be.
    """
    sheet = SHEETS[name]
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
    return parsed.refusing(_disagreeing(parsed.rows)) if name == "users" else parsed


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"line {line} is not UTF-8; save the file as CSV UTF-8"
        raise FileFault(msg) from None
    if not text.strip():
        raise FileFault("the file is empty; its first line must name the columns")
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
        raise FileFault(msg) from None


def _delimiter(text: str) -> str:
    """Return what stands between cells: a spreadsheet writes semicolons in much of the world."""
    return max(",;\t", key=text.partition("\n")[0].count)


def _cleaned(cell: str) -> str:
    """Return `cell` trimmed, its accents composed (NFC) and its line breaks plain."""
    cell = cell.strip()
    if "\r" in cell:
        cell = _LINE_BREAK.sub("\n", cell)
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def _header(cells: Sequence[str], sheet: _Sheet) -> list[str]:
    header = [cell.lower() for cell in cells]
    if missing := [column for column in sheet.required if column not in header]:
        msg = (
            f"the first line lacks the column {' and '.join(missing)};"
            f" it must name {', '.join(sheet.required)}"
        )
        raise FileFault(msg)
    if twice := [column for column in sheet.checks if header.count(column) > 1]:
        msg = f"the first line names the column {' and '.join(twice)} twice; delete one"
        raise FileFault(msg)
    return header


def _checked(
    sheet: _Sheet, columns: Mapping[str, int], width: int, line: int, cells: Sequence[str]
) -> Row | Refusal:
    if extra := "".join(cells[width:]):
        reason = "is one cell more than the header has; put text with a comma in quotation marks"
        return Refusal(line, "row", extra, reason)
    values: Values = {}
    for column, at in columns.items():
        cell = cells[at] if at < len(cells) else ""  # some spreadsheets leave out empty ends
        try:
            values[column] = sheet.checks[column](cell)
        except _CellFault as fault:
            return Refusal(line, column, cell, str(fault))
    return Row(line, values)


def _repeated(rows: Iterable[Row], key: Sequence[str]) -> Iterator[Refusal]:
    first: dict[Key, int] = {}
    for row in rows:
        known = first.setdefault(_key(row.values, key), row.line)
        if known != row.line:
            reason = f"repeats {' and '.join(key)} of line {known}; keep one of the two"
            yield Refusal(row.line, key[0], row.values[key[0]], reason)


def _disagreeing(rows: Sequence[Row]) -> Iterator[Refusal]:
    """Refuse every row of a username whose rows differ in name or e-mail."""
    of_username: dict[str, list[Row]] = {}
    for row in rows:
        of_username.setdefault(row.values["username"], []).append(row)
    for alike in of_username.values():
        for column in ("name", "email"):
            if any(row.values[column] != alike[0].values[column] for row in alike):
                yield from _differing(alike, column)
                break


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


def _key(values: Values, key: Sequence[str]) -> Key:
    return tuple(values[column] for column in key)


def import_directory(
    engine: Engine, files: Mapping[str, Parsed], now: Moment, *, skip_bad_rows: bool = False
) -> Report:
    """Add and update what `files` (by name, of SHEETS) say, in one transaction of its own.

    Nothing is written when any row is refused, unless `skip_bad_rows`; the report's counts then
    are what would have been done.

    Raises:
        StoreUnavailable: The database did not take part; nothing was changed.
    """
    with writing(engine) as connection:
        return import_into(connection, files, now, skip_bad_rows=skip_bad_rows)


def import_into(
    connection: Connection, files: Mapping[str, Parsed], now: Moment, *, skip_bad_rows: bool = False
) -> Report:
    """Do what `import_directory` does inside the caller's transaction."""
    import_queries.wait_for_other_imports(connection)
    files = _referring(connection, {name: files[name] for name in SHEETS if name in files})
    people = _people(connection, files)
    found = {name: _sorted(connection, name, file.rows, people) for name, file in files.items()}
    report = _report(files, found, skip_bad_rows=skip_bad_rows)
    if report.written:
        _write(connection, found, people, now)
    return report


def _report(
    files: Mapping[str, Parsed], found: Mapping[str, _Sorted], *, skip_bad_rows: bool
) -> Report:
    reports = {
        name: FileReport(
            len(found[name].added),
            len(found[name].updated),
            found[name].unchanged,
            file.refusals,
            file.ignored,
        )
        for name, file in files.items()
    }
    refused = any(file.refusals for file in files.values())
    return Report(reports, written=skip_bad_rows or not refused)


def _referring(connection: Connection, files: Mapping[str, Parsed]) -> dict[str, Parsed]:
    """Refuse rows that name an organization or service neither stored nor taken by this import."""
    checked = dict(files)
    for name, column, target in (
        ("subscriptions", "organization_id", "organizations"),
        ("subscriptions", "service", "services"),
        ("users", "organization_id", "organizations"),
    ):
        if name in checked:
            rows = checked[name].rows
            named = {row.values[column] for row in rows} - {""}
            known = {key[0] for key in _stored(connection, target, named)}
            if target in checked:
                known |= {row.values[column] for row in checked[target].rows}
            checked[name] = checked[name].refusing(_unknown(rows, column, named - known))
    return checked


def _unknown(rows: Iterable[Row], column: str, unknown: set[str]) -> Iterator[Refusal]:
    thing = column.removesuffix("_id")
    reason = f"there is no such {thing}; add it to the {thing}s file, or correct it"
    for row in rows:
        if row.values[column] in unknown:
            yield Refusal(row.line, column, row.values[column], reason)


def _stored(connection: Connection, name: str, values: Iterable[str]) -> dict[Key, Values]:
    """Return what is stored of one kind, by key, where the key's first column is in `values`."""
    sheet = SHEETS[name]
    columns = [_COLUMNS.get(column, column) for column in sheet.checks]
    rows = import_queries.stored_rows(connection, _TABLES[name], columns, columns[0], values)
    renamed = (dict(zip(sheet.checks, row.values(), strict=True)) for row in rows)
    return {_key(row, sheet.key): row for row in renamed}


def _people(connection: Connection, files: Mapping[str, Parsed]) -> _People:
    usernames = {row.values["username"] for row in files["users"].rows} if "users" in files else ()
    return _People(
        import_queries.stored_accounts(connection, usernames),
        import_queries.stored_members(connection, usernames),
    )


def _sorted(connection: Connection, name: str, rows: Sequence[Row], people: _People) -> _Sorted:
    key = SHEETS[name].key
    if name == "users":
        stored = people.rows()
    else:
        stored = _stored(connection, name, {row.values[key[0]] for row in rows})
    added, updated = [], []
    for row in rows:
        before = stored.get(_key(row.values, key))
        if before is None:
            added.append(row.values)
        elif before | row.values != before:
            updated.append(row.values)
    return _Sorted(added, updated, len(rows) - len(added) - len(updated))


def _write(
    connection: Connection, found: Mapping[str, _Sorted], people: _People, now: Moment
) -> None:
    import_queries.raise_revisions(connection, _touched(found, people))
    for name, table in _TABLES.items():
        rows = found.get(name, _Sorted())
        keys = [_COLUMNS.get(column, column) for column in SHEETS[name].key]
        import_queries.add_rows(connection, table, [_as_stored(name, v) for v in rows.added])
        import_queries.update_rows(
            connection, table, keys, [_as_stored(name, v) for v in rows.updated]
        )
    users = found.get("users", _Sorted())
    _write_accounts(connection, users, people)
    _write_members(connection, users, people, now)


def _touched(found: Mapping[str, _Sorted], people: _People) -> set[str]:
    """Return the organizations whose users, subscriptions or standing change."""
    touched = {
        values["organization_id"] for values in found.get("organizations", _Sorted()).updated
    }
    for name in ("subscriptions", "users"):
        touched |= {values["organization_id"] for values in found.get(name, _Sorted()).changes}
    changed = {v["username"] for v in found.get("users", _Sorted()).changes if people.renames(v)}
    return touched | {place for username, place in people.members if username in changed}


def _as_stored(name: str, values: Values) -> Values:
    stored = {_COLUMNS.get(column, column): value for column, value in values.items()}
    if name == "organizations":
        stored["search_key"] = fold(f"{stored['name']} {stored['organization_id']}")
    return stored


def _write_accounts(connection: Connection, users: _Sorted, people: _People) -> None:
    staff = {v["username"]: v["status"] for v in users.changes if not v["organization_id"]}
    accounts = {
        v["username"]: {
            "username": v["username"],
            "name": v["name"],
            "email": v["email"],
            "staff_status": staff.get(v["username"], people.staff_status(v["username"])),
        }
        for v in users.changes
    }
    added = [row for username, row in accounts.items() if username not in people.accounts]
    updated = [row for row in accounts.values() if people.differs(row)]
    renamed = [_with_keys(row) for row in updated if people.renames(row)]
    import_queries.add_rows(connection, "user_account", added)
    import_queries.update_rows(connection, "user_account", ["username"], updated)
    import_queries.update_rows(connection, "member", ["username"], renamed)


def _write_members(connection: Connection, users: _Sorted, people: _People, now: Moment) -> None:
    added = [values for values in users.added if values["organization_id"]]
    ids = new_ids(len(added), now)
    rows = [
        _with_keys(values)
        | {
            "organization_id": values["organization_id"],
            "member_id": member_id,
            "status": values["status"],
        }
        for values, member_id in zip(added, ids, strict=True)
    ]
    import_queries.add_rows(connection, "member", rows)
    keys = ("username", "organization_id")
    updated = [
        {column: values[column] for column in (*keys, "status")}
        for values in users.updated
        if people.members.get((values["username"], values["organization_id"])) != values["status"]
        and values["organization_id"]
    ]
    import_queries.update_rows(connection, "member", keys, updated)


def _with_keys(person: Values) -> Values:
    """Return what a member's row repeats of the account, with the keys to sort and search by."""
    username, name, email = person["username"], person["name"], person["email"]
    return {
        "username": username,
        "name": name,
        "email": email,
        "sort_key": fold(name),
        "search_key": fold(f"{name} {username} {email}"),
    }
