"""What the audit trail adds to Generate & Export: the same operation with it and without.

Run: `python -m tests.benchmarks.audit_cost [sqlite|postgresql] [users …]`

Both run in turn, each on a copy of one database in one process; the ratio of the medians is held
against the limit of 1.10. Without means a unit of work that records nothing.
"""

import gc
import itertools
import statistics
import sys
import time
from typing import Any

from sqlalchemy import Connection, Engine

from lib.domain.audit import AuditKeyring, Event
from lib.domain.states import Action
from lib.operations.actions import execute, plan_action
from lib.operations.unit_of_work import UnitOfWork
from tests.benchmarks.asked import asked_for
from tests.benchmarks.generate_export import postgresql_copies, sqlite_copies
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, by, clock

ROUNDS = 15
USERS = 10_000
LIMIT = 1.10


class Silent(UnitOfWork):
    """A unit of work that records nothing."""

    __slots__ = ()

    def record(self, connection: Connection, *events: Event) -> None:
        """Do nothing."""


def seconds(kind: type[UnitOfWork], engine: Engine, ids: list[str]) -> float:
    """Return how long it takes to carry out a plan."""
    unit_of_work = kind(engine, clock, AuditKeyring.of(MINTING.peppers))
    plan = plan_action(unit_of_work, ADMIN, Action.GENERATE, ORG, SERVICE, ids)
    gc.collect()
    begun = time.perf_counter()
    execute(unit_of_work, by(plan), plan, MINTING)
    return time.perf_counter() - begun


def measure(kind: str, users: int) -> tuple[str, float]:
    """Return a line with both medians, and their ratio."""
    copies_of = {"sqlite": sqlite_copies, "postgresql": postgresql_copies}[kind]
    ids, copies = copies_of(users)
    took: dict[type[UnitOfWork], list[float]] = {UnitOfWork: [], Silent: []}
    for turn in range(ROUNDS):
        order: list[Any] = [UnitOfWork, Silent] if turn % 2 else [Silent, UnitOfWork]
        for each in order:
            took[each].append(seconds(each, next(copies), ids))
    with_it, without = (statistics.median(took[each]) for each in (UnitOfWork, Silent))
    ratio = with_it / without
    return (
        (
            f"{kind:10} {users:>7,} users  with the audit trail {with_it * 1e3:8.1f} ms"
            f"  without {without * 1e3:8.1f} ms  ratio {ratio:5.3f} (limit {LIMIT};"
            f" medians of {ROUNDS})"
        ),
        ratio,
    )


if __name__ == "__main__":
    over = False
    for kind, users in itertools.product(*asked_for(USERS)):
        line, ratio = measure(kind, users)
        over |= ratio > LIMIT
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    sys.exit(over)
