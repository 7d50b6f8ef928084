"""An import of users, its time and its memory, against reading the file and writing its rows.

Run: `python -m tests.benchmarks.import_users [sqlite|postgresql] [users …]`

The limit is what nobody can leave out: `csv` over the file, and on SQLite one executemany a table,
on PostgreSQL one COPY a table, of the rows that the import leaves. Import and limit run in turn,
each on a copy of one database without users. Then come a dry run and an import of the same file,
which find every row unchanged. Rows a second count reading the file as well; `cpu` is the time that
this process was running, which a busy machine does not change.

Memory is the peak of what Python holds (tracemalloc), in sizes of the file, which is read within.
It is measured in a run of its own, which takes three times as long.
"""

import csv
import io
import itertools
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from lib.operations.imports.import_directory import ImportOptions, import_directory
from lib.operations.imports.parse import parse
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.engine import reading, writing
from tests.benchmarks.asked import asked_for
from tests.benchmarks.generate_export import postgresql_copies, sqlite_copies
from tests.support.directory import ORG, unit_of_work

USERS = 100_000
AT_LEAST = 10_000  # rows a second
AT_MOST = 4  # sizes of the file
_TABLES = (tables.user_account, tables.member)


def users_file(users: int) -> bytes:
    """Return a users file of so many people in one organization."""
    lines = "".join(
        f"user{n:06},Given{n % 997} Family{n},user{n:06}@example.com,{ORG},active\n"
        for n in range(users)
    )
    return f"username,name,email,organization_id,status\n{lines}".encode()


def imported(engine: Engine, content: bytes, import_options: ImportOptions) -> tuple[float, float]:
    """Import the file; return seconds of the wall clock and of this process."""
    begun, worked = time.perf_counter(), time.process_time()
    report = import_directory(
        unit_of_work(engine), {"users": parse("users", content)}, import_options
    )
    assert report.all_taken
    return time.perf_counter() - begun, time.process_time() - worked


def left_behind(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the people that the import has added, by table."""
    with reading(engine) as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(
                    text(f"SELECT * FROM {table.name} WHERE username LIKE 'user%'")
                )
            ]
            for table in _TABLES
        }


def bare(engine: Engine, content: bytes, left: dict[str, list[tuple[Any, ...]]]) -> float:
    """Read the file and write what the import left; return seconds."""
    begun = time.perf_counter()
    for _ in csv.reader(io.StringIO(content.decode(), newline="")):
        pass
    with writing(engine) as connection:
        for table in _TABLES:
            columns = [column.name for column in table.columns]
            insert_many(connection, table, columns, left[table.name])
    return time.perf_counter() - begun


def memory(engine: Engine, content: bytes) -> float:
    """Return the peak of an import in sizes of the file, the file included."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        tracemalloc.start()
        parsed = parse("users", Path(file.name).read_bytes())
        import_directory(unit_of_work(engine), {"users": parsed})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak / len(content)


def measure(kind: str, users: int) -> Iterator[tuple[str, bool]]:
    """Yield lines, and whether each is within what was promised."""
    copies_of: Callable[[int], tuple[list[str], Iterator[Engine]]]
    copies_of = {"sqlite": sqlite_copies, "postgresql": postgresql_copies}[kind]
    _, copies = copies_of(1)
    content, engine, spent = users_file(users), next(copies), {}
    for rows in ("all new", "unchanged"):
        for name, import_options in (
            ("dry run", ImportOptions(dry_run=True)),
            ("import", ImportOptions()),
        ):
            spent[name, rows], worked = imported(engine, content, import_options)
            yield _line(kind, users, f"{name}, {rows}", spent[name, rows], worked)
    left, held = left_behind(engine), [memory(engine, content)]
    limit = bare(next(copies), content, left)
    ratio = spent["import", "all new"] / limit
    yield (
        f"{kind:10} {users:>7,} users  bare {limit:5.2f} s, ratio of the import {ratio:4.2f}",
        True,
    )
    held.append(memory(next(copies), content))
    told = (
        f"{kind:10} {users:>7,} users  memory {held[0]:4.2f} (unchanged) and {held[1]:4.2f} (new)"
        f" sizes of the file (limit {AT_MOST})"
    )
    yield told, max(held) < AT_MOST


def _line(kind: str, users: int, name: str, wall: float, cpu: float) -> tuple[str, bool]:
    rate = users / wall
    line = (
        f"{kind:10} {users:>7,} users  {name:18} {wall:5.2f} s (cpu {cpu:5.2f})"
        f"  {rate:>8,.0f} rows a second (at least {AT_LEAST:,})"
    )
    return line, rate >= AT_LEAST


if __name__ == "__main__":
    missed = False
    for kind, users in itertools.product(*asked_for(USERS)):
        for line, within in measure(kind, users):
            missed |= not within
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    sys.exit(missed)
