"""Many rows at the price of one statement, on either engine."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, TextClause, text


def insert_many(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert `rows`, each in the order of `columns`: COPY on PostgreSQL, one executemany on SQLite.

    Measured by the benchmark in tests/benchmarks; an ORM object a row took 17 times as long.
    """
    names = ", ".join(columns)
    if connection.dialect.name == "postgresql":
        raw: Any = connection.connection.cursor()
        with raw.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    if batch := list(rows):
        marks = ", ".join("?" for _ in columns)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", batch)


def with_ids(connection: Connection, statement: str) -> TextClause:
    """Return `statement` with `{ids}` read from the parameter `ids`: a one-column table `value`.

    Pair with `ids_parameter`.
    """
    source = {
        "postgresql": "(SELECT unnest(CAST(:ids AS text[])) AS value)",
        "sqlite": "(SELECT value FROM json_each(:ids))",
    }[connection.dialect.name]
    return text(statement.replace("{ids}", source))


def ids_parameter(connection: Connection, ids: Iterable[str]) -> str | list[str]:
    """Return `ids` as the driver takes a whole set in one parameter."""
    return list(ids) if connection.dialect.name == "postgresql" else json.dumps(list(ids))
