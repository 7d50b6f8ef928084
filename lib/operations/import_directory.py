"""Take a directory from CSV files, as a spreadsheet writes them, in one transaction.

Every row is read and checked before anything is written. A row adds what is new and updates what
differs, by its key; a column that a file does not have leaves what is stored as it is.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from lib.domain.audit import Event, EventAction
from lib.domain.clock import Moment
from lib.domain.errors import LastAdministratorError, UnknownPersonError
from lib.domain.ids import new_ids
from lib.domain.search import fold, possible_name
from lib.operations import import_reuse
from lib.operations.grants import COMMAND_LINE
from lib.operations.import_rows import (
    SCHEMAS,
    STAFF_FIX,
    STAFF_RULE,
    Key,
    Parsed,
    Refusal,
    Row,
    Values,
    as_username,
    key_of,
)
from lib.operations.unit_of_work import UnitOfWork
from lib.store import grant_queries, import_queries


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
    """What became of all files, by name. `written` is False when refused rows held all back.

    `same_person` has those whom only this option kept from being taken for somebody else;
    `signed_out` the username of each sign-in that ended because somebody else got the username.
    """

    files: Mapping[str, FileReport]
    written: bool
    same_person: tuple[str, ...] = ()
    signed_out: tuple[str, ...] = ()

    @property
    def all_taken(self) -> bool:
        """Tell whether no row was refused."""
        return not any(file.refusals for file in self.files.values())


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


_TABLES = {
    "organizations": "organization",
    "services": "service",
    "subscriptions": "subscription",
}
_COLUMNS = {"service": "service_id"}  # where the table's name of a column is not the file's


def import_directory(
    unit_of_work: UnitOfWork,
    files: Mapping[str, Parsed],
    *,
    skip_bad_rows: bool = False,
    same_person: Iterable[str] = (),
) -> Report:
    """Add and update what `files` (by name, of SHEETS) say, in one transaction of its own.

    Nothing is written when any row is refused, unless `skip_bad_rows`; the report's counts then
    are what would have been done. `same_person` holds usernames whose name and e-mail may both
    change although the account has a role, a token or a request.

    Raises:
        UnknownPerson: `same_person` names somebody whom the directory does not have.
        LastAdministrator: Nobody would be left to grant roles; nothing was changed.
        AuditUnwritten: The audit trail did not take the event; nothing was changed.
        StoreUnavailable: The database did not take part; nothing was changed.
    """
    event = Event(EventAction.IMPORT, COMMAND_LINE.username, COMMAND_LINE.address)
    same = frozenset(map(as_username, same_person))
    with unit_of_work.transaction(event) as connection:
        had = grant_queries.has_administrator(connection)
        report = import_into(
            connection, files, unit_of_work.clock(), skip_bad_rows=skip_bad_rows, same_person=same
        )
        if report.written:
            unit_of_work.record(connection, event._replace(**_figures(report)), *_sign_outs(report))
        if had and not grant_queries.has_administrator(connection):
            raise LastAdministratorError
    return report


def _figures(report: Report) -> dict[str, Any]:
    """Return what the event of an import says: users that changed, and rows of each file.

    It also names those who kept what they have because somebody said that they are the same person.
    """
    changed = {name: file.added + file.updated for name, file in report.files.items()}
    detail = ", ".join(f"{name} {rows}" for name, rows in changed.items())
    if report.same_person:
        detail += f"; same person: {', '.join(report.same_person)}"
    return {"users": changed.get("users", 0), "detail": detail}


def _sign_outs(report: Report) -> Iterator[Event]:
    """Yield an event for each sign-in that ended."""
    for username in report.signed_out:
        yield Event(
            EventAction.SIGN_OUT,
            username,
            COMMAND_LINE.address,
            detail="another person got the username",
        )


def import_into(
    connection: Connection,
    files: Mapping[str, Parsed],
    now: Moment,
    *,
    skip_bad_rows: bool = False,
    same_person: Collection[str] = (),
) -> Report:
    """Do what `import_directory` does inside the caller's transaction."""
    import_queries.wait_for_other_imports(connection)
    files = _referring(connection, {name: files[name] for name in SCHEMAS if name in files})
    people = _people(connection, files, same_person)
    unsaid = {u: account for u, account in people.accounts.items() if u not in same_person}
    if "users" in files:
        files["users"] = files["users"].refusing(_staff_and_user(files["users"].rows, people))
        files["users"] = files["users"].refusing(_reused(connection, files, people, unsaid, now))
    found = {name: _sorted(connection, name, file.rows, people) for name, file in files.items()}
    report = _report(files, found, skip_bad_rows=skip_bad_rows)
    if report.written:
        _write(connection, found, people, now)
        if "users" in files:
            rows = files["users"].rows
            said = {u: account for u, account in people.accounts.items() if u in same_person}
            return replace(
                report,
                same_person=tuple(sorted(import_reuse.given_away(rows, said))),
                signed_out=tuple(import_reuse.end_sign_ins(connection, rows, unsaid, now)),
            )
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


def _staff_and_user(rows: Iterable[Row], people: _People) -> Iterator[Refusal]:
    """Refuse rows that would make a stored user a staff account, or the other way round."""
    place_of = dict(sorted(people.members, reverse=True))
    for row in rows:
        username, place = row.values["username"], row.values["organization_id"]
        if place and people.staff_status(username):
            reason = f"{STAFF_RULE}, and {username} is one; give this user another username"
        elif not place and username in place_of:
            reason = f"{STAFF_RULE}, and {username} is a user of {place_of[username]}; {STAFF_FIX}"
        else:
            continue
        yield Refusal(row.line, "organization_id", place, reason)


def _reused(
    connection: Connection,
    files: Mapping[str, Parsed],
    people: _People,
    unsaid: Mapping[str, import_queries.StoredAccount],
    now: Moment,
) -> Iterator[Refusal]:
    """Refuse rows that would give a username, and what its holder has, to somebody else.

    `unsaid` are the accounts of which nobody said that they stay with the same person.
    """
    named = {
        row.values["organization_id"]
        for name, file in files.items()
        if name != "services"
        for row in file.rows
    }
    places = named | {place for _, place in people.members}
    return import_reuse.refusals(connection, files["users"].rows, unsaid, places, now)


def _stored(connection: Connection, name: str, values: Iterable[str]) -> dict[Key, Values]:
    """Return what is stored of one kind, by key, where the key's first column is in `values`."""
    sheet = SCHEMAS[name]
    columns = [_COLUMNS.get(column, column) for column in sheet.checks]
    rows = import_queries.stored_rows(connection, _TABLES[name], columns, columns[0], values)
    renamed = (dict(zip(sheet.checks, row.values(), strict=True)) for row in rows)
    return {key_of(row, sheet.key): row for row in renamed}


def _people(
    connection: Connection, files: Mapping[str, Parsed], same_person: Collection[str]
) -> _People:
    """Return what is stored about the usernames of the users file and of `same_person`.

    Raises UnknownPerson for one of `same_person` who is not stored.
    """
    rows = files["users"].rows if "users" in files else ()
    usernames = {row.values["username"] for row in rows} | set(map(possible_name, same_person))
    accounts = import_queries.stored_accounts(connection, usernames)
    if unknown := set(same_person) - accounts.keys():
        raise UnknownPersonError(min(unknown))
    return _People(accounts, import_queries.stored_members(connection, usernames))


def _sorted(connection: Connection, name: str, rows: Sequence[Row], people: _People) -> _Sorted:
    key = SCHEMAS[name].key
    if name == "users":
        stored = people.rows()
    else:
        stored = _stored(connection, name, {row.values[key[0]] for row in rows})
    added, updated = [], []
    for row in rows:
        before = stored.get(key_of(row.values, key))
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
        keys = [_COLUMNS.get(column, column) for column in SCHEMAS[name].key]
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
