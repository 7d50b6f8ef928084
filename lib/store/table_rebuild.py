"""Changes of a table that SQLite has no `ALTER TABLE` for, as migrations need them.

A migration that adds an action widens the check of the table of operations::

    def upgrade() -> None:
        replace_check(op.get_bind(), "operation", "ck_operation_action", "action IN ('request', …)")

SQLite changes a constraint only by rebuilding the table: https://sqlite.org/lang_altertable.html,
section 7. `lib.store.migrate` turns its foreign keys off before the transaction, since dropping a
table deletes the rows that refer to it, and checks all of them before the commit.
"""

import re
from collections.abc import Callable

from sqlalchemy import Connection, text


def replace_check(connection: Connection, table: str, name: str, condition: str) -> None:
    """Give the CHECK constraint `name` of `table` another condition, in the caller's transaction.

    Rows that break the new condition raise the database's own error, and nothing is changed.
    Raises LookupError where SQLite's table has no such constraint.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"'))
        connection.execute(
            text(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" CHECK ({_escaped(condition)})')
        )
    else:
        rebuild(connection, table, lambda sql: _with_check(sql, name, condition))


def rebuild(connection: Connection, table: str, change: Callable[[str], str]) -> None:
    """Rebuild one of SQLite's tables from its `CREATE TABLE`, as `change` returns it.

    Rows, indexes and triggers stay. The columns must stay, too, in any order.
    """
    created = _sql(connection, "type = 'table' AND name = :table", table)[0]
    beside = _sql(connection, "type IN ('index', 'trigger') AND tbl_name = :table", table)
    columns = connection.execute(text(f'SELECT name FROM pragma_table_info("{table}")')).scalars()
    names = ", ".join(f'"{name}"' for name in columns)
    temporary = f"rebuilt_{table}"
    head = re.compile(rf'CREATE TABLE\s+"?{table}"?')
    for statement in (
        head.sub(f'CREATE TABLE "{temporary}"', change(created), count=1),
        f'INSERT INTO "{temporary}" ({names}) SELECT {names} FROM "{table}"',
        f'DROP TABLE "{table}"',
        f'ALTER TABLE "{temporary}" RENAME TO "{table}"',
        *beside,
    ):
        connection.exec_driver_sql(statement)


def _sql(connection: Connection, condition: str, table: str) -> list[str]:
    """Return the statements that made parts of the schema; SQLite's own indexes have none."""
    statement = f"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND {condition}"
    return list(connection.execute(text(statement), {"table": table}).scalars())


def _with_check(sql: str, name: str, condition: str) -> str:
    """Return a `CREATE TABLE` in which the named check has another condition."""
    found = re.search(rf'CONSTRAINT "?{name}"? CHECK\s*(?=\()', sql)
    if found is None:
        raise LookupError(name)
    return f"{sql[: found.end()]}({condition}){sql[_end_of_group(sql, found.end()) :]}"


def _end_of_group(sql: str, start: int) -> int:
    """Return the place behind the parenthesis that closes the one at `start`."""
    depth = 0
    for part in re.finditer(r"'(?:[^']|'')*'|[()]", sql[start:]):
        depth += {"(": 1, ")": -1}.get(part.group(), 0)
        if depth == 0:
            return start + part.end()
    raise LookupError(sql)


def _escaped(condition: str) -> str:
    """Return a condition in which SQLAlchemy finds no parameter."""
    return condition.replace(":", r"\:")
