"""Reads and writes of the importer and the demo, each for a whole set of rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, Integer, Table, text

from lib.domain.clock import Moment
from lib.domain.search import caseless
from lib.store import tables
from lib.store.bulk import ids_parameter, insert_many, with_ids
from lib.store.columns import select_list, unexpired

Row: TypeAlias = Mapping[str, Any]

_LOCK = 0x696D706F7274  # "import", the key of PostgreSQL's advisory lock of an import


class StoredAccount(NamedTuple):
    """A stored account. `staff_status` is set for staff accounts only."""

    name: str
    email: str
    staff_status: str | None


class MemberWithService(NamedTuple):
    """A user of an organization, and one of its services, for the demo's tokens."""

    organization_id: str
    service_id: str
    member_id: str
    status: str
    organization_status: str


def wait_for_other_imports(connection: Connection) -> None:
    """Wait until no other import runs. On SQLite the whole database is locked already.

    PostgreSQL reads indexes only until the transaction ends. It keeps plans, also those that check
    foreign keys. A plan made while a table was empty reads the whole table for each row later.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(text("SET LOCAL enable_seqscan = off"))


def is_empty(connection: Connection) -> bool:
    """Tell whether the database has no organization, no service and no user."""
    return not connection.execute(
        text(
            "SELECT EXISTS (SELECT 1 FROM organization) OR EXISTS (SELECT 1 FROM service)"
            " OR EXISTS (SELECT 1 FROM user_account)"
        )
    ).scalar_one()


def stored_rows(
    connection: Connection, table: str, columns: Sequence[str], by: str, values: Iterable[str]
) -> list[dict[str, Any]]:
    """Return `columns` of the rows of `table` whose column `by` is one of `values`."""
    rows = _stored(connection, table, columns, by, values)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _stored(
    connection: Connection, table: str, columns: Sequence[str], by: str, values: Iterable[str]
) -> Sequence[Any]:
    names = ", ".join(f"t.{column}" for column in columns)
    # OFFSET 0 keeps PostgreSQL to one look into the index for each value; else it took a hash join
    # over the whole table, for each of the parts that an import is taken in.
    looked_up = f"(SELECT * FROM {table} x WHERE x.{by} = i.value OFFSET 0)"
    joined = {
        "postgresql": f"CROSS JOIN LATERAL {looked_up} t",
        "sqlite": f"JOIN {table} t ON t.{by} = i.value",
    }[connection.dialect.name]
    statement = with_ids(connection, f"SELECT {names} FROM {{ids}} i {joined}")
    return connection.execute(statement, {"ids": ids_parameter(connection, values)}).all()


def stored_accounts(connection: Connection, usernames: Iterable[str]) -> dict[str, StoredAccount]:
    """Return the existing accounts of `usernames`, by username."""
    columns = ("username", "name", "email", "staff_status")
    rows = _stored(connection, "user_account", columns, "username", usernames)
    return {username: StoredAccount(name, email, staff) for username, name, email, staff in rows}


def stored_members(connection: Connection, usernames: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the status of every membership of `usernames`, by (username, organization id)."""
    columns = ("username", "organization_id", "status")
    rows = _stored(connection, "member", columns, "username", usernames)
    return {(username, place): status for username, place, status in rows}


def stored_spellings(connection: Connection, usernames: Iterable[str]) -> dict[str, list[str]]:
    """Return the stored usernames that differ from `usernames` by case at most.

    By their caseless form.
    """
    columns, keys = ("username_key", "username"), set(map(caseless, usernames))
    found: dict[str, list[str]] = {}
    for key, username in _stored(connection, "user_account", columns, "username_key", keys):
        found.setdefault(key, []).append(username)
    return found


def with_a_role(connection: Connection, usernames: Iterable[str]) -> set[str]:
    """Return those of `usernames` who have a role in any organization."""
    return _found(connection, usernames, "role_grant g ON g.username = i.value")


def with_a_live_token(connection: Connection, usernames: Iterable[str], now: Moment) -> set[str]:
    """Return those of `usernames` who have a token or a pending request, in any organization."""
    return _found(
        connection,
        usernames,
        "member m ON m.username = i.value JOIN token t"
        " ON t.organization_id = m.organization_id AND t.member_id = m.member_id"
        f" WHERE t.ended_at IS NULL AND {unexpired('t')}",
        now=now,
    )


def with_an_open_approval(
    connection: Connection, usernames: Iterable[str], since: Moment
) -> set[str]:
    """Return those of `usernames` whose request for approval can still be answered or executed.

    A request that was made or answered before `since` has expired.
    """
    return _found(
        connection,
        usernames,
        "approval a ON a.requester = i.value WHERE a.state <> 'rejected'"
        " AND COALESCE(a.answered_at, a.asked_at) >= :since AND NOT EXISTS (SELECT 1"
        " FROM operation p WHERE p.organization_id = a.organization_id"
        " AND p.operation_id = a.operation_id)",
        since=since,
    )


def _found(
    connection: Connection, usernames: Iterable[str], joined: str, **values: Moment
) -> set[str]:
    statement = with_ids(connection, f"SELECT DISTINCT i.value FROM {{ids}} i JOIN {joined}")
    parameters = {"ids": ids_parameter(connection, usernames), **values}
    return set(connection.execute(statement, parameters).scalars())


def lock_subscriptions(connection: Connection, organization_ids: Iterable[str]) -> None:
    """Lock every subscription of `organization_ids`, in sorted order.

    On SQLite the whole database is locked already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            with_ids(
                connection,
                "SELECT 1 FROM subscription WHERE organization_id IN (SELECT value FROM {ids} i)"
                " ORDER BY organization_id, service_id FOR UPDATE",
            ),
            {"ids": ids_parameter(connection, organization_ids)},
        )


def raise_revisions(connection: Connection, organization_ids: Iterable[str]) -> None:
    """Lock every subscription of `organization_ids`, in sorted order, and raise its revision."""
    ids = list(organization_ids)
    lock_subscriptions(connection, ids)  # first: an UPDATE locks rows in no fixed order
    connection.execute(
        with_ids(
            connection,
            "UPDATE subscription SET revision = revision + 1"
            " WHERE organization_id IN (SELECT value FROM {ids} i)",
        ),
        {"ids": ids_parameter(connection, ids)},
    )


def add_rows(connection: Connection, table: str, rows: Sequence[Row]) -> None:
    """Insert `rows` into `table`. All rows have the same columns."""
    if rows:
        columns = list(rows[0])
        values = (tuple(row[column] for column in columns) for row in rows)
        insert_many(connection, tables.metadata.tables[table], columns, values)


def add_accounts(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert people, each with the key by which usernames that differ by case only are found."""
    keyed = [{**row, "username_key": caseless(row["username"])} for row in rows]
    add_rows(connection, "user_account", keyed)


def update_rows(
    connection: Connection, table: str, keys: Sequence[str], rows: Sequence[Row]
) -> None:
    """Update the rows of `table` that match `rows` in the columns `keys`.

    All rows have the same columns. Uses one executemany on SQLite, and one statement over `unnest`
    on PostgreSQL, where an executemany of 100,000 rows took twice as long.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _update_from_arrays(connection, tables.metadata.tables[table], keys, rows)
        return
    changed = ", ".join(f"{column} = :{column}" for column in rows[0] if column not in keys)
    found = " AND ".join(f"{key} = :{key}" for key in keys)
    connection.execute(
        text(f"UPDATE {table} SET {changed} WHERE {found}"), [dict(row) for row in rows]
    )


def _update_from_arrays(
    connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Row]
) -> None:
    columns = list(rows[0])
    changed = ", ".join(f"{column} = v.{column}" for column in columns if column not in keys)
    found = " AND ".join(f"t.{key} = v.{key}" for key in keys)
    arrays = ", ".join(f"CAST(:{column} AS {_array(table, column)})" for column in columns)
    connection.execute(
        text(
            f"UPDATE {table.name} t SET {changed} FROM unnest({arrays})"
            f" AS v({', '.join(columns)}) WHERE {found}"
        ),
        {column: [row[column] for row in rows] for column in columns},
    )


def _array(table: Table, column: str) -> str:
    return "integer[]" if isinstance(table.c[column].type, Integer) else "text[]"


def members_with_services(connection: Connection) -> list[MemberWithService]:
    """Return every user with each service of their organization.

    Sorted by organization, service and the order of the table.
    """
    rows = connection.execute(
        text(
            "SELECT "
            + select_list(
                MemberWithService,
                "m",
                service_id="b.service_id",
                organization_status="o.status",
            )
            + " FROM member m JOIN organization o ON o.organization_id = m.organization_id"
            " JOIN subscription b ON b.organization_id = m.organization_id"
            " ORDER BY m.organization_id, b.service_id, m.sort_key, m.username"
        )
    )
    return [MemberWithService._make(row) for row in rows]
