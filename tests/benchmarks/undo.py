"""Undo against Generate & Export of as many users, in one run on the same copies.

Run: `python -m tests.benchmarks.undo [sqlite|postgresql] [users …]`

Both are timed from the confirmation to the commit, without their plans. The undone operation is, in
turn, a Generate & Export of users with tokens, one that keeps them, a removal, and a request.
"""

import itertools
import statistics
import sys
import time

from sqlalchemy import Engine

from lib.domain.states import Action, ExistingTokens
from lib.operations.actions import execute, plan_action
from lib.operations.undo import plan_undo, undo
from tests.benchmarks.asked import asked_for
from tests.benchmarks.generate_export import operation, postgresql_copies, sqlite_copies
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, by, clock, unit_of_work

ROUNDS = 3
SIZES = (10_000,)
STOP, KEEP = ExistingTokens
UNDONE = (
    (Action.GENERATE, STOP),
    (Action.GENERATE, KEEP),
    (Action.REMOVE, STOP),
    (Action.REQUEST, STOP),
)


def undoing(
    engine: Engine, ids: list[str], action: Action, existing_tokens: ExistingTokens
) -> tuple[float, float]:
    """Act, then undo it; return the seconds of the undo's plan and of the undo."""
    books = unit_of_work(engine, clock)
    plan = plan_action(books, ADMIN, action, ORG, SERVICE, ids, existing_tokens)
    execute(books, by(plan), plan, MINTING)
    begun = time.perf_counter()
    undo_plan = plan_undo(books, ADMIN, ORG, plan.operation_id)
    planned = time.perf_counter()
    (receipt,) = undo(books, ADMIN, undo_plan)
    assert receipt.changed == len(ids)
    return planned - begun, time.perf_counter() - planned


def measure(kind: str, users: int) -> list[str]:
    """Return a line for each undone operation: medians of both, and their ratio."""
    ids, copies = {"sqlite": sqlite_copies, "postgresql": postgresql_copies}[kind](users)
    limits: list[float] = []
    plans: dict[tuple[Action, ExistingTokens], list[float]] = {undone: [] for undone in UNDONE}
    undos: dict[tuple[Action, ExistingTokens], list[float]] = {undone: [] for undone in UNDONE}
    for _ in range(ROUNDS):
        limits.append(operation(next(copies), ids)[1])
        for undone in UNDONE:
            planned, done = undoing(next(copies), ids, *undone)
            plans[undone].append(planned)
            undos[undone].append(done)
    limit = statistics.median(limits)
    return [
        f"{kind:10} {users:>7,} users  undo of {action.value} ({existing_tokens.value})"
        f" {statistics.median(undos[action, existing_tokens]) * 1e3:8.1f} ms"
        f"  generate & export {limit * 1e3:8.1f} ms"
        f"  ratio {statistics.median(undos[action, existing_tokens]) / limit:4.2f}"
        f"  (plan before it {statistics.median(plans[action, existing_tokens]) * 1e3:7.1f} ms;"
        f" medians of {ROUNDS})"
        for action, existing_tokens in UNDONE
    ]


if __name__ == "__main__":
    for kind, users in itertools.product(*asked_for(*SIZES)):
        sys.stdout.write("\n".join(measure(kind, users)) + "\n")
        sys.stdout.flush()
