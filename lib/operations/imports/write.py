"""Write what an import has found to be new or different."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from lib.domain.clock import Moment
from lib.domain.ids import new_ids
from lib.domain.search import fold
from lib.domain.states import Status
from lib.operations.imports import reuse
from lib.operations.imports.comparison import Comparison, UserComparison
from lib.operations.imports.packed import Row, Values
from lib.operations.imports.row_conflicts import key_of
from lib.operations.imports.schema import SCHEMAS
from lib.operations.imports.stored import TABLES, People, column_of, read_people, read_rows
from lib.store import import_queries, membership_queries
from lib.store.membership_queries import pair


def write_others(connection: Connection, others: Mapping[str, Comparison]) -> None:
    """Write organizations, services and subscriptions."""
    for name, found in others.items():
        for rows in found.changed.parts():
            _write_part(connection, name, rows)


def write_users(
    connection: Connection, others: Mapping[str, Comparison], users: UserComparison, now: Moment
) -> int:
    """Write people; return how many tokens work again since a member is active again."""
    organizations, subscriptions = _reactivated(others)
    tokens = 0
    for rows in users.changed.parts():
        if again := _write_people(connection, rows, now):
            tokens += membership_queries.working_tokens_of(
                connection, again, organizations, subscriptions, now
            )
    return tokens


def tokens_that_work_again(
    connection: Connection, others: Mapping[str, Comparison], now: Moment
) -> int:
    """Return how many tokens work since an organization or subscription is active again."""
    organizations, subscriptions = _reactivated(others)
    if not organizations and not subscriptions:
        return 0
    return membership_queries.working_tokens_in(connection, organizations, subscriptions, now)


def _reactivated(
    others: Mapping[str, Comparison],
) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the organizations, and the subscriptions, that become active."""
    keys = {name: found.reactivated for name, found in others.items()}
    organizations = {key[0] for key in keys.get("organizations", ())}
    return organizations, {(key[0], key[1]) for key in keys.get("subscriptions", ())}


def end_sign_ins(connection: Connection, users: UserComparison, now: Moment) -> list[str]:
    """End the sign-ins of people whose username goes to somebody else; return the usernames."""
    ended: list[str] = []
    for rows in users.suspects.parts():
        usernames = {row.values["username"] for row in rows}
        accounts = import_queries.stored_accounts(connection, usernames)
        ended += reuse.end_sign_ins(connection, rows, accounts, now)
    return ended


def _write_part(connection: Connection, name: str, rows: Sequence[Row]) -> None:
    key = SCHEMAS[name].key
    stored = read_rows(connection, name, {row.values[key[0]] for row in rows})
    added = [row.values for row in rows if key_of(row.values, key) not in stored]
    updated = [row.values for row in rows if key_of(row.values, key) in stored]
    table, keys = TABLES[name], [column_of(column) for column in key]
    import_queries.add_rows(connection, table, [_as_stored(name, values) for values in added])
    changed = [_as_stored(name, values) for values in updated]
    import_queries.update_rows(connection, table, keys, changed)


def _as_stored(name: str, values: Values) -> Values:
    stored = {column_of(column): value for column, value in values.items()}
    if name == "organizations":
        stored["search_key"] = fold(f"{stored['name']} {stored['organization_id']}")
    return stored


def _write_people(connection: Connection, rows: Sequence[Row], now: Moment) -> list[str]:
    """Write people; return the members who become active (see `pair`)."""
    people = read_people(connection, (row.values["username"] for row in rows))
    changes = [row.values for row in rows]
    _write_accounts(connection, changes, people)
    return _write_members(connection, changes, people, now)


def _write_accounts(connection: Connection, changes: Iterable[Values], people: People) -> None:
    accounts = {
        v["username"]: {
            "username": v["username"],
            "name": v["name"],
            "email": v["email"],
            "staff_status": None if v["organization_id"] else v["status"],
        }
        for v in changes
    }
    added = [row for username, row in accounts.items() if username not in people.accounts]
    updated = [row for row in accounts.values() if people.differs(row)]
    renamed = [_with_keys(row) for row in updated if people.renames(row)]
    import_queries.add_accounts(connection, added)
    import_queries.update_rows(connection, "user_account", ["username"], updated)
    import_queries.update_rows(connection, "member", ["username"], renamed)


def _write_members(
    connection: Connection, changes: Sequence[Values], people: People, now: Moment
) -> list[str]:
    places = [values for values in changes if values["organization_id"]]
    added = [v for v in places if (v["username"], v["organization_id"]) not in people.members]
    rows = [
        _with_keys(values)
        | {
            "organization_id": values["organization_id"],
            "member_id": member_id,
            "status": values["status"],
        }
        for values, member_id in zip(added, new_ids(len(added), now), strict=True)
    ]
    import_queries.add_rows(connection, "member", rows)
    keys = ("username", "organization_id")
    updated = [
        {column: values[column] for column in (*keys, "status")}
        for values in places
        if people.members.get((values["username"], values["organization_id"]), values["status"])
        != values["status"]
    ]
    import_queries.update_rows(connection, "member", keys, updated)
    active = (values for values in updated if values["status"] == Status.ACTIVE)
    return [pair(values["organization_id"], values["username"]) for values in active]


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
