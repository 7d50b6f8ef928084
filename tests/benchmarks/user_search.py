"""The search of the Users page, and the page of one user, over a directory that this makes.

Run: `python -m tests.benchmarks.user_search [users …]`; `DATABASE_URL=postgresql+psycopg://…` for
the query on another, empty database (one size). Limits at the 95th percentile (issue 16): 20 ms at
100,000 users and 250 ms at 1,000,000 for a search; 40 ms for the script of a person's page. On a
machine that others use, read the milliseconds of processor time: with SQLite they are the whole
work, with PostgreSQL the server's work is left out.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from lib.domain.clock import DAY
from lib.domain.ids import new_ids
from lib.domain.search import fold
from lib.operations import users
from lib.operations.database import open_database
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.engine import writing
from lib.ui.app_context import _open
from lib.ui.users.user_hits import ROWS
from tests.benchmarks.tokens_page import FRAME, empty
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, SERVICE, build, clock

ROUNDS = 5  # of each search; the percentile is over all of them
SIZES = {100_000: 20, 1_000_000: 250}  # milliseconds that a search may take
PAGE_LIMIT = 40  # milliseconds of script
GIVEN = ("Ana", "Ben", "Carla", "Dmitri", "Élodie", "Farid", "Grace", "Håkon", "Ines", "Jürgen")
FAMILY = ("Doyle", "Castillo", "Park", "Walsh", "Kimball", "Lowe", "Nakano", "Okafor", "Šimek")
_CHUNK = 100_000
_MEMBER = (
    *("organization_id", "member_id", "username", "status", "name", "email", "sort_key"),
    "search_key",
)
_TOKEN = (
    *("organization_id", "token_id", "service_id", "member_id", "state", "origin", "digest"),
    *("pepper", "hint", "created_at", "accepted_at"),
)


class Times(NamedTuple):
    """Milliseconds of one call: on the clock, and of this process's work."""

    wall: float
    processor: float


def fill(engine: Engine, count: int) -> None:
    """Make organizations of 500 users; every second user has a token."""
    places = [f"UT{n:04}" for n in range(count // 500)]
    for place in places:
        build(engine, 0, organization_id=place)
    draw = random.Random(1)  # noqa: S311 - test data
    for first in range(0, count, _CHUNK):
        people = list(_people(draw, places, first, min(_CHUNK, count - first)))
        with writing(engine) as connection:
            insert_many(
                connection,
                tables.user_account,
                ("username", "name", "email", "username_key"),
                ((u, name, f"{u}@example.com", u) for _, _, u, name in people),
            )
            insert_many(
                connection,
                tables.member,
                (
                    "organization_id",
                    "member_id",
                    "username",
                    "status",
                    "name",
                    "email",
                    "sort_key",
                    "search_key",
                ),
                (
                    (*start, u, "active", name, f"{u}@example.com", fold(name), key)
                    for *start, u, name in people
                    for key in [fold(f"{name} {u} {u}@example.com")]
                ),
            )
            insert_many(
                connection,
                tables.token,
                (
                    *("organization_id", "token_id", "service_id", "member_id", "state", "origin"),
                    "digest",
                    "pepper",
                    "hint",
                    "created_at",
                    "accepted_at",
                ),
                _tokens(draw, people),
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _people(
    draw: random.Random, places: list[str], first: int, count: int
) -> Iterator[tuple[str, str, str, str]]:
    """Yield organization, member id, username and name."""
    for number, member_id in enumerate(new_ids(count, NOW), first):
        given, family = draw.choice(GIVEN), draw.choice(FAMILY)
        username = f"{fold(given)[0]}{fold(family)}{number}"
        yield places[number % len(places)], member_id, username, f"{given} {family}"


def _tokens(
    draw: random.Random, people: list[tuple[str, str, str, str]]
) -> Iterator[tuple[object, ...]]:
    half = people[::2]
    for (place, member_id, _, _), token_id in zip(half, new_ids(len(half), NOW), strict=True):
        hint = f"demo_{draw.randrange(16**4):04X}"
        yield (
            place, token_id, SERVICE, member_id, "accepted", "export",
            draw.randbytes(32), 1, hint, NOW - DAY, NOW - DAY,
        )  # fmt: skip


def percentile(times: Iterable[float], share: float = 0.95) -> float:
    """Return the value that so many of the times do not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def timed(act: Callable[[], object]) -> list[Times]:
    """Return the times of each of several calls."""
    spent = []
    for _ in range(ROUNDS):
        begun, busy = time.perf_counter(), time.process_time()
        act()
        spent.append(Times((time.perf_counter() - begun) * 1e3, (time.process_time() - busy) * 1e3))
    return spent


def line(name: str, times: Iterable[Times], limit: float) -> str:
    """Return a line with the percentiles, also as shares of a limit in milliseconds."""
    times = list(times)
    wall = percentile(one.wall for one in times)
    busy = percentile(one.processor for one in times)
    return (
        f"  {name:<18} {wall:7.1f} ms ({wall / limit:4.2f} of the limit)"
        f"  processor {busy:7.1f} ms ({busy / limit:4.2f})\n"
    )


def searches(engine: Engine, count: int) -> dict[str, list[Times]]:
    """Return the milliseconds of each kind of search, through the use case."""
    kinds = {
        "nothing": ("zzzzz", "nobody here", "qx9"),
        "one person": (f"{count - 7}", f"{count // 2 + 3}@", f"edoyle{count - 6}"),
        "a few (accents)": (f"ELODIE ŠIMEK ESIMEK{count // 1000}", f"hnakano{count // 2000}"),
        "everybody": ("a", "doyle", "ana"),
        "an organization": ("UT0042", "organization ut01"),
        "a hint": ("demo_12AB", "FFFF"),
        "an operation": (new_ids(1, NOW)[0], "UT0001-01a2132872f5"),
    }
    users.search(engine, clock, ADMIN, "warm", "demo", ROWS)
    return {
        kind: [
            spent
            for text in texts
            for spent in timed(
                lambda text=text: users.search(engine, clock, ADMIN, text, "demo", ROWS)
            )
        ]
        for kind, texts in kinds.items()
    }


def person_page(folder: Path, url: str) -> list[Times]:
    """Return the milliseconds of a rerun of a person's page, AppTest's own share included."""
    _open.cache_clear()
    os.environ |= {"DATABASE_URL": url, "TOKEN_DESK_DATA": str(folder)}
    at = AppTest.from_file(FRAME, default_timeout=60).run()
    at.switch_page("person.py").run()
    engine = _open().engine
    with engine.connect() as connection:
        at.query_params["user"] = connection.execute(
            text("SELECT min(username) FROM member")
        ).scalar_one()
    at.run()
    assert len(at.dataframe) == 1, "the token of the person"
    times = [spent for _ in range(4) for spent in timed(lambda: at.run(timeout=60))]
    assert not at.exception
    return times


def measure(count: int, limit: float) -> None:
    """Print the figures of a directory of so many users."""
    folder = Path(tempfile.mkdtemp())
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{folder / 'desk.db'}"
    engine = open_database(url)
    fill(engine, count)
    sys.stdout.write(f"{count:,} users, {engine.dialect.name}: a search, 95th percentile\n")
    found = searches(engine, count)
    for kind, times in found.items():
        sys.stdout.write(line(kind, times, limit))
    sys.stdout.write(line("all", (one for times in found.values() for one in times), limit))
    engine.dispose()
    if url.startswith("sqlite"):
        sys.stdout.write(line("a person's page", person_page(folder, url), PAGE_LIMIT))


if __name__ == "__main__":
    for size in [int(word) for word in sys.argv[1:]] or SIZES:
        measure(size, SIZES.get(size, 250 if size > 100_000 else 20))
    sys.stdout.write(empty() + "\n")
