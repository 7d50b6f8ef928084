"""Eight administrators who act on one user at a time, in one organization of 20,000.

Run: `python -m tests.benchmarks.administrators [sqlite|postgresql] [seconds]`

Each asks for a request and cancels it, in turn, on users of their own: plan, confirmation, commit.
Prints operations a second, p99, and for PostgreSQL the SELECT of the selected users with 1, 10 and
10,000 ids, once its statement is prepared.
"""

import statistics
import sys
import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine

from lib.domain.states import Action
from lib.operations.actions import execute, plan_action
from lib.store import token_queries
from lib.store.engine import reading
from tests.benchmarks.asked import asked_for
from tests.benchmarks.generate_export import postgresql_copies, sqlite_copies
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, by, clock, unit_of_work

ADMINISTRATORS = 8
USERS = 20_000
SECONDS = 5
SIZES = (1, 10, 10_000)
LOOKS = 12  # the driver prepares a statement at its sixth execution, the server plans at the next


def acting(engine: Engine, ids: Sequence[str], seconds: float, took: list[float]) -> None:
    """Request and cancel for one user after the other; add the seconds of each operation."""
    books = unit_of_work(engine, clock)
    end = time.perf_counter() + seconds
    while True:
        for member_id in ids:
            for action in (Action.REQUEST, Action.CANCEL):
                begun = time.perf_counter()
                if begun > end:
                    return
                plan = plan_action(books, ADMIN, action, ORG, SERVICE, [member_id])
                execute(books, by(plan), plan, MINTING)
                took.append(time.perf_counter() - begun)


def together(engine: Engine, ids: Sequence[str], seconds: float) -> list[float]:
    """Let all administrators act at once; return the seconds of each operation."""
    took: list[float] = []
    threads = [
        threading.Thread(target=acting, args=(engine, ids[n::ADMINISTRATORS], seconds, took))
        for n in range(ADMINISTRATORS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def selecting(engine: Engine, ids: Sequence[str]) -> float:
    """Return the median milliseconds of the SELECT of `ids`, after the statement is prepared."""
    took = []
    with reading(engine) as connection:
        for _ in range(2 * LOOKS):
            begun = time.perf_counter()
            token_queries.users_in_scope(connection, ORG, SERVICE, clock(), ids)
            took.append(time.perf_counter() - begun)
    return statistics.median(took[LOOKS:]) * 1_000


def measure(kind: str, seconds: float) -> list[str]:
    """Return the lines of one kind of database."""
    ids, copies = {"sqlite": sqlite_copies, "postgresql": postgresql_copies}[kind](USERS)
    engine = next(copies)
    selects = [f"{size:,} ids {selecting(engine, ids[:size]):.2f} ms" for size in SIZES]
    took = sorted(together(engine, ids[USERS // 2 :], seconds))
    p99 = took[int(len(took) * 0.99)] * 1_000
    return [
        f"{kind}: {len(took) / seconds:.0f} operations a second, p99 {p99:.0f} ms",
        f"{kind}: SELECT of {', '.join(selects)}",
    ]


def main() -> None:
    """Print the lines of each kind."""
    kinds, seconds = asked_for(SECONDS)
    for kind in kinds:
        for line in measure(kind, next(iter(seconds))):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
