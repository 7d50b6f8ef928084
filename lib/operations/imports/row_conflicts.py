"""Find rows of one file that contradict each other.

Rows come in parts: those whose first key column differs by case only are in one part.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from lib.operations.imports.packed import Row, Values
from lib.operations.imports.refusals import Refusal
from lib.operations.imports.schema import SCHEMAS, USERS

Key: TypeAlias = tuple[Any, ...]

STAFF_RULE = "a staff account belongs to no organization"
STAFF_FIX = "give the staff account a username of its own"


def conflicts(name: str, rows: Sequence[Row]) -> Iterator[Refusal]:
    """Yield at most one refusal for each row of a part of the file `name`."""
    taken = rows
    for find in (_repeated, _disagreeing, _staff_and_user) if name == USERS else (_repeated,):
        refusals = list(find(name, taken))
        yield from refusals
        taken = without(taken, refusals)


def without(rows: Sequence[Row], refusals: Iterable[Refusal]) -> Sequence[Row]:
    """Return the rows that are not refused."""
    lines = {refusal.line for refusal in refusals}
    return [row for row in rows if row.line not in lines] if lines else rows


def key_of(values: Values, key: Sequence[str]) -> Key:
    """Return what makes a row the same as one that is stored."""
    return tuple([values[column] for column in key])


def _repeated(name: str, rows: Iterable[Row]) -> Iterator[Refusal]:
    key, first = SCHEMAS[name].key, dict[Key, int]()
    for row in rows:
        known = first.setdefault(key_of(row.values, key), row.line)
        if known != row.line:
            reason = f"repeats {' and '.join(key)} of line {known}; keep one of the two"
            yield Refusal(row.line, key[0], row.values[key[0]], reason)


def _disagreeing(_name: str, rows: Iterable[Row]) -> Iterator[Refusal]:
    """Refuse every row of a username whose rows differ in name or e-mail."""
    for alike in _with_several_rows(rows):
        for column in ("name", "email"):
            if any(row.values[column] != alike[0].values[column] for row in alike):
                yield from _differing(alike, column)
                break


def _staff_and_user(_name: str, rows: Iterable[Row]) -> Iterator[Refusal]:
    """Refuse every row of a username that is a staff account here and a user there."""
    for alike in _with_several_rows(rows):
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


def _with_several_rows(rows: Iterable[Row]) -> Iterator[list[Row]]:
    of_username: dict[str, list[Row]] = {}
    for row in rows:
        of_username.setdefault(row.values["username"], []).append(row)
    return (alike for alike in of_username.values() if len(alike) > 1)


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
