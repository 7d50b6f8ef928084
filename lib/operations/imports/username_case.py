"""Refuse usernames that differ from another one by case only: people read them as one."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection

from lib.domain.search import caseless
from lib.operations.imports.packed import Row, Values
from lib.operations.imports.refusals import Refusal
from lib.operations.imports.row_conflicts import Key, key_of
from lib.operations.imports.schema import SCHEMAS, USERS
from lib.operations.imports.stored import People
from lib.store import import_queries


def refusals(
    connection: Connection, rows: Sequence[Row], people: People, stored: Mapping[Key, Values]
) -> Iterator[Refusal]:
    """Yield a refusal for each of `rows` whose username is another one but for case.

    `rows` are a whole part of a users file, `people` and `stored` what is stored of their
    usernames. Two that are stored already stay, as long as nothing changes of them.
    """
    usernames = {row.values["username"] for row in rows}
    new = usernames - people.accounts.keys()
    known = import_queries.stored_spellings(connection, new) if new else {}
    if not known and len(set(map(caseless, usernames))) == len(usernames):
        return
    for key, spellings in _by_key(rows).items():
        if len(spellings) > 1:
            yield from _in_one_file(spellings, stored)
        elif key in known and not spellings.keys().isdisjoint(new):
            reason = (
                f"is stored as {known[key][0]}; write it that way, or give another person"
                " another username"
            )
            for username, here in spellings.items():
                yield from (Refusal(row.line, "username", username, reason) for row in here)


def _by_key(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        username = row.values["username"]
        found.setdefault(caseless(username), {}).setdefault(username, []).append(row)
    return found


def _in_one_file(
    spellings: Mapping[str, Sequence[Row]], stored: Mapping[Key, Values]
) -> Iterator[Refusal]:
    rows = [row for here in spellings.values() for row in here]
    if all(stored.get(key_of(row.values, SCHEMAS[USERS].key)) == row.values for row in rows):
        return
    for row in rows:
        username = row.values["username"]
        other = next(each for each in spellings if each != username)
        reason = (
            f"differs by case only from {other} on line {spellings[other][0].line}; keep one of"
            " the two, or give another person another username"
        )
        yield Refusal(row.line, "username", username, reason)
