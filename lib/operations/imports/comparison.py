"""Compare the rows of files with what is stored, part by part; nothing is written here."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from lib.domain.clock import Moment
from lib.domain.states import Status
from lib.operations.imports import reuse, username_case
from lib.operations.imports.packed import PackedRows, Row, Values
from lib.operations.imports.parse import Parsed
from lib.operations.imports.refusals import Refusal, Refusals
from lib.operations.imports.row_conflicts import STAFF_FIX, STAFF_RULE, Key, key_of, without
from lib.operations.imports.schema import SCHEMAS, USERS
from lib.operations.imports.stored import People, read_people, read_rows
from lib.store.membership_queries import pair

#: The columns that name a row of another file, and that file.
_REFERENCES = {
    "subscriptions": (("organization_id", "organizations"), ("service", "services")),
    USERS: (("organization_id", "organizations"),),
}


@dataclass(slots=True)
class Comparison:
    """One file against what is stored: what has to be written, and what is refused.

    `taken` are the first keys of all rows that are taken, `reactivated` the keys of those that
    become active, `touched` the organizations whose subscriptions, users or status change.
    """

    name: str
    changed: PackedRows
    refusals: Refusals
    added: int = 0
    unchanged: int = 0
    taken: set[str] = field(default_factory=set)
    reactivated: set[Key] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)

    @property
    def updated(self) -> int:
        """Return how many stored rows change."""
        return len(self.changed) - self.added

    def refuse(self, rows: Iterable[Row], refused: Iterable[Refusal]) -> None:
        """Note that some of `rows` are refused."""
        reasons = {refusal.line: refusal for refusal in refused}
        first = SCHEMAS[self.name].key[0]
        for row in rows if reasons else ():
            if row.line in reasons:
                self.refusals.add(reasons[row.line], row.values[first])

    def take(self, rows: Iterable[Row], stored: Mapping[Key, Values]) -> None:
        """Sort `rows` into what is new, what differs from `stored`, and the rest."""
        key = SCHEMAS[self.name].key
        for row in rows:
            before = stored.get(key_of(row.values, key))
            if before is None:
                self.added += 1
            elif before | row.values == before:
                self.unchanged += 1
                continue
            self.changed.add(row)
            self._note(row.values, before)

    def _note(self, values: Values, before: Values | None) -> None:
        if before and values.get("status") == Status.ACTIVE != before.get("status"):
            self.reactivated.add(key_of(values, SCHEMAS[self.name].key))
        if before or self.name != "organizations":
            self.touched.add(values.get("organization_id", ""))


@dataclass(slots=True)
class UserComparison(Comparison):
    """The users file against what is stored, and what the report says of people besides.

    `suspects` are rows that may give a username to somebody else; they are not taken yet.
    `places` are all organizations of all people named. `named_active` counts, by organization, the
    stored active members that a line names, `becoming` how many more active members there will be.
    `elsewhere` are members (see `pair`) that stay active where the file names nobody. `same_person`
    are the usernames that only this option kept from being taken for somebody else.
    """

    suspects: PackedRows = field(default_factory=lambda: PackedRows(SCHEMAS[USERS].checks))
    places: set[str] = field(default_factory=set)
    named_active: Counter[str] = field(default_factory=Counter)
    becoming: Counter[str] = field(default_factory=Counter)
    elsewhere: set[str] = field(default_factory=set)
    same_person: set[str] = field(default_factory=set)


def compare_others(connection: Connection, files: Mapping[str, Parsed]) -> dict[str, Comparison]:
    """Return the comparison of each of `files`, by name, in the order of SCHEMAS without users."""
    done: dict[str, Comparison] = {}
    for name, parsed in files.items():
        found = done[name] = Comparison(name, parsed.rows.emptied(), parsed.refusals.copy())
        for rows in parsed.rows.parts():
            refused = list(_unknown(connection, name, rows, done))
            found.refuse(rows, refused)
            kept = without(rows, refused)
            first_keys = {row.values[SCHEMAS[name].key[0]] for row in kept}
            found.take(kept, read_rows(connection, name, first_keys))
            found.taken |= first_keys
    return done


def compare_users(
    connection: Connection,
    parsed: Parsed,
    others: Mapping[str, Comparison],
    same_person: Collection[str],
    now: Moment,
) -> UserComparison:
    """Return the comparison of the users file; `others` are those of the files before it.

    Locks what the accounts have whose username may go to somebody else, until the import ends.
    """
    changed, suspects = parsed.rows.emptied(), parsed.rows.emptied()
    found = UserComparison(USERS, changed, parsed.refusals.copy(), suspects=suspects)
    for rows in parsed.rows.parts():
        people = read_people(connection, (row.values["username"] for row in rows))
        stored = people.rows()
        refused = list(_refused(connection, rows, people, stored, others))
        found.refuse(rows, refused)
        _note_named(found, rows, people)
        unsaid = {u: a for u, a in people.accounts.items() if u not in same_person}
        certain = []
        for row in without(rows, refused):
            if reuse.is_for_another(row.values, unsaid):
                found.suspects.add(row)
            else:
                certain.append(row)
        found.same_person |= _same_person(certain, people, same_person)
        _take_users(found, certain, people, stored)
        _note_elsewhere(found, certain, people, parsed.organization_ids)
    if found.suspects:
        named = (other.taken for name, other in others.items() if name != "services")
        reuse.lock_holdings(connection, found.places.union(*named) - {""})
        _take_suspects(connection, found, now)
    return found


def _refused(
    connection: Connection,
    rows: Sequence[Row],
    people: People,
    stored: Mapping[Key, Values],
    others: Mapping[str, Comparison],
) -> Iterator[Refusal]:
    """Yield at most one refusal for each of `rows`, a whole part of a users file."""
    refused = list(_unknown(connection, USERS, rows, others))
    refused += _staff_and_user(without(rows, refused), people)
    yield from refused
    yield from username_case.refusals(connection, without(rows, refused), people, stored)


def _same_person(rows: Iterable[Row], people: People, said: Collection[str]) -> set[str]:
    """Return the usernames of `said` that `rows` would give to somebody else."""
    accounts = {u: account for u, account in people.accounts.items() if u in said}
    return {row.values["username"] for row in rows if reuse.is_for_another(row.values, accounts)}


def _take_suspects(connection: Connection, found: UserComparison, now: Moment) -> None:
    """Refuse the rows that give what an account has to somebody else, and take the others."""
    suspects, found.suspects = found.suspects, found.suspects.emptied()
    for rows in suspects.parts():
        people = read_people(connection, (row.values["username"] for row in rows))
        refused = list(reuse.refusals(connection, rows, people.accounts, now))
        found.refuse(rows, refused)
        kept = without(rows, refused)
        for row in kept:
            found.suspects.add(row)
        _take_users(found, kept, people, people.rows())


def _take_users(
    found: UserComparison, rows: Sequence[Row], people: People, stored: Mapping[Key, Values]
) -> None:
    found.take(rows, stored)
    renamed = set()
    for row in rows:
        username, place = row.values["username"], row.values["organization_id"]
        before, after = people.members.get((username, place)), row.values["status"]
        if before != after:
            found.becoming[place] += (after == Status.ACTIVE) - (before == Status.ACTIVE)
        if people.renames(row.values):
            renamed.add(username)
    if renamed:
        found.touched |= {place for username, place in people.members if username in renamed}


def _note_named(found: UserComparison, rows: Iterable[Row], people: People) -> None:
    found.places |= {row.values["organization_id"] for row in rows}
    found.places |= {place for _, place in people.members}
    for row in rows:
        place = row.values["organization_id"]
        if people.members.get((row.values["username"], place)) == Status.ACTIVE:
            found.named_active[place] += 1


def _note_elsewhere(
    found: UserComparison, rows: Iterable[Row], people: People, named: Collection[str]
) -> None:
    """Note who is added to one organization, and active in one that the file does not name."""
    added = {
        row.values["username"]
        for row in rows
        if (row.values["username"], row.values["organization_id"]) not in people.members
    }
    found.elsewhere |= {
        pair(place, username)
        for (username, place), status in people.members.items()
        if username in added and place not in named and status == Status.ACTIVE
    }


def _unknown(
    connection: Connection, name: str, rows: Iterable[Row], done: Mapping[str, Comparison]
) -> Iterator[Refusal]:
    """Refuse rows that name an organization or service neither stored nor taken by this import."""
    refused: set[int] = set()
    for column, target in _REFERENCES.get(name, ()):
        named = {row.values[column] for row in rows} - {""}
        if target in done:
            named -= done[target].taken
        unknown = named - {key[0] for key in read_rows(connection, target, named)}
        reason = _no_such(column.removesuffix("_id"))
        for row in rows:
            if row.values[column] in unknown and row.line not in refused:
                refused.add(row.line)
                yield Refusal(row.line, column, row.values[column], reason)


def _no_such(thing: str) -> str:
    return f"there is no such {thing}; add it to the {thing}s file, or correct it"


def _staff_and_user(rows: Iterable[Row], people: People) -> Iterator[Refusal]:
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
