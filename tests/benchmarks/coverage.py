"""Coverage and worries at a million tokens: milliseconds of SQL, on SQLite or PostgreSQL.

Run: `python -m tests.benchmarks.coverage [sqlite|postgresql] [tokens]`. Limits (the issue's):
coverage of everything 150 ms, of one organization 2 ms, the count of a worry 150 ms. The reference
is a plain count of accepted tokens in the same run.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Engine, text

from lib.domain.clock import DAY
from lib.domain.ids import new_ids
from lib.domain.worries import WORRIES, default_view
from lib.operations.database import open_database
from lib.store import coverage_queries, tables, worry_queries
from lib.store.bulk import insert_many
from lib.store.engine import reading, writing
from tests.benchmarks.many_tokens import new_database
from tests.support.database_facts import NOW
from tests.support.directory import build

ROUNDS = 9
TOKENS = 1_000_000
SERVICES = ("erecording", "ecertified-copies", "land-notices", "plat-review")
MEMBERS = 250  # of an organization
_COLUMNS = (
    "organization_id", "token_id", "service_id", "member_id", "state", "origin", "digest", "hint",
    "pepper", "created_at", "accepted_at", "last_used_at", "expires_at", "ended_at", "ended_from",
)  # fmt: skip


def fill(engine: Engine, tokens: int) -> None:
    """Fill an empty database: a thousand tokens in each organization, 85 of 100 are live.

    Two of its 250 members are inactive.
    """
    chance = random.Random(1)  # noqa: S311 - test data
    for number in range(tokens // 1_000):
        organization_id = f"O{number:05}"
        ids = build(engine, MEMBERS, organization_id=organization_id, services=SERVICES)
        rows = list(_tokens(chance, organization_id, ids))
        with writing(engine) as connection:
            insert_many(connection, tables.token, _COLUMNS, rows)
    with writing(engine) as connection:
        connection.execute(
            text(
                "UPDATE member SET status = 'inactive' WHERE username LIKE '%-u17'"
                " OR username LIKE '%-u67'"
            )
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        sqlite = engine.dialect.name == "sqlite"
        connection.exec_driver_sql("ANALYZE" if sqlite else "VACUUM ANALYZE")


def _tokens(
    chance: random.Random, organization_id: str, ids: list[str]
) -> Iterator[tuple[object, ...]]:
    """Yield the tokens of an organization, one for each member and service."""
    token_ids = iter(new_ids(len(ids) * len(SERVICES), NOW))
    for service_id in SERVICES:
        for member_id in ids:
            state = chance.choices(("accepted", "pending", "removed"), (70, 15, 15))[0]
            created = NOW - chance.randint(0, 300 * DAY)
            accepted = None if state == "pending" else min(NOW, created + DAY)
            used = None
            if accepted and chance.random() < 7 / 8:
                used = max(accepted, NOW - int(chance.expovariate(1 / (20 * DAY))))
            request = state == "pending" and chance.random() < 1 / 2
            secret = (None, None, None) if request else (chance.randbytes(32), "demo_abcd", 1)
            ended = (NOW, "accepted") if state == "removed" else (None, None)
            yield (
                organization_id, next(token_ids), service_id, member_id, state,
                "request" if request else "export", *secret, created, accepted, used,
                NOW + chance.randint(DAY, 365 * DAY), *ended,
            )  # fmt: skip


def median_ms(act: Callable[[], object]) -> float:
    """Return the median milliseconds of `act`."""
    spent = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        act()
        spent.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(spent)


def measure(engine: Engine) -> dict[str, float]:
    """Return the milliseconds of each read."""
    with reading(engine) as connection:
        count = text("SELECT count(*) FROM token WHERE state = 'accepted'")
        spent = {
            "plain count of accepted tokens": median_ms(lambda: connection.execute(count).all()),
            "coverage of everything": median_ms(lambda: coverage_queries.coverage(connection, NOW)),
            "coverage of one organization": median_ms(
                lambda: coverage_queries.coverage(connection, NOW, ["O00003"])
            ),
        }
        for view in WORRIES:
            worry = partial(worry_queries.count_people, connection, default_view(view), None, NOW)
            spent[f"count of {view.value}"] = median_ms(worry)
    return spent


if __name__ == "__main__":
    kind = sys.argv[1] if sys.argv[1:] else "sqlite"
    database = open_database(new_database(kind))
    fill(database, int(sys.argv[2]) if sys.argv[2:] else TOKENS)
    for name, spent in measure(database).items():
        sys.stdout.write(f"{kind:<10} {name:<30} {spent:8.1f} ms\n")
