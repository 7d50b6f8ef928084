"""A warm process that starts operations in forks, kills them at random moments, and counts.

test_kill.py runs it, because a fork needs a process with one thread:
`python -m tests.support.kill URL TRIES SEED WHAT`. WHAT is `generate`, `keep` (existing tokens) or
`undo`. It prints the result as one line of JSON.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable

from sqlalchemy import Engine, text

from lib.domain.states import Action, ExistingTokens
from lib.operations.actions import execute, plan_action
from lib.operations.undo import plan_undo, undo
from lib.operations.unit_of_work import UnitOfWork
from lib.store.engine import open_engine, writing
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, clock, unit_of_work

USERS = 2_000


Start = Callable[[UnitOfWork, int], None]
Counts = tuple[int, ...]


def generating(ids: list[str], existing_tokens: ExistingTokens) -> Start:
    """Return what plans an export, sends its id and executes it."""

    def start(books: UnitOfWork, planned: int) -> None:
        plan = plan_action(books, ADMIN, Action.GENERATE, ORG, SERVICE, ids, existing_tokens)
        os.write(planned, plan.operation_id.encode())
        execute(books, by(plan), plan, MINTING)

    return start


def undoing(operation_id: str) -> Start:
    """Return what plans the undo of an operation, sends the undo's id and executes it."""

    def start(books: UnitOfWork, planned: int) -> None:
        plan = plan_undo(books, ADMIN, ORG, operation_id)
        os.write(planned, plan.parts[0].operation_id.encode())
        undo(books, ADMIN, plan)

    return start


def killed(url: str, start: Start, delay: float | None) -> tuple[str, bool]:
    """Start an operation and kill it `delay` seconds after its plan (None: do not kill it).

    Returns the operation's id, and whether it was really killed.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            start(unit_of_work(open_engine(url), clock), sender)
        finally:
            os._exit(0)
    operation_id = os.read(receiver, 32).decode()
    if delay is not None:
        time.sleep(delay)  # the fault's moment, drawn at random
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(receiver)
    os.close(sender)
    return operation_id, os.WIFSIGNALED(status)


def found(engine: Engine, operation_id: str) -> Counts:
    """Return the numbers of operations, results, events, and of made, live and ended rows.

    The last number counts digests that more than one row has.
    """
    counts = (
        "SELECT count(*) FROM operation WHERE operation_id = :id",
        "SELECT count(*) FROM operation_result WHERE operation_id = :id",
        "SELECT count(*) FROM audit_event WHERE operation_id = :id",
        "SELECT count(*) FROM token WHERE made_by_operation = :id",
        "SELECT count(*) FROM token WHERE ended_at IS NULL",
        "SELECT count(*) FROM token WHERE ended_by_operation = :id",
        "SELECT count(digest) - count(DISTINCT digest) FROM token",
    )
    with writing(engine) as connection:
        # Waits for whatever the killed process still holds on the server's side.
        connection.execute(text("UPDATE subscription SET revision = revision + 1"))
        return tuple(connection.execute(text(c), {"id": operation_id}).scalar_one() for c in counts)


def undo_now(engine: Engine, operation_id: str) -> None:
    """Undo an operation, which nobody kills."""
    books = unit_of_work(engine, clock)
    undo(books, ADMIN, plan_undo(books, ADMIN, ORG, operation_id))


def export_now(engine: Engine, ids: list[str]) -> str:
    """Generate tokens, which nobody kills; return the operation's id."""
    books = unit_of_work(engine, clock)
    plan = plan_action(books, ADMIN, Action.GENERATE, ORG, SERVICE, ids)
    execute(books, by(plan), plan, MINTING)
    return plan.operation_id


def main(url: str, tries: int, seed: int, what: str) -> None:
    """Kill `tries` operations. Print how many were whole, absent, torn, and really killed.

    `phases` counts the killed ones by the quarter of the usual time in which they were killed.
    """
    chance = random.Random(seed)  # noqa: S311 - moments of faults, not secrets
    engine = open_engine(url)
    ids = build(engine, USERS)
    export_now(engine, ids)
    with writing(engine) as connection:
        connection.execute(text("UPDATE token SET state = 'accepted', accepted_at = created_at"))
    if what == "undo":
        start = undoing(export_now(engine, ids))
    else:
        start = generating(ids, ExistingTokens.KEEP if what == "keep" else ExistingTokens.STOP)
    engine.dispose()
    begun = time.perf_counter()
    operation_id, _ = killed(url, start, None)
    lasts = time.perf_counter() - begun
    made, live = (0, USERS) if what == "undo" else (USERS, USERS * (1 + (what == "keep")))
    ended = 0 if what == "keep" else USERS
    whole, absent = (1, USERS, 1, made, live, ended, 0), (0, 0, 0, 0, USERS, 0, 0)
    assert found(engine, operation_id) == whole
    seen, phases = {"whole": 0, "absent": 0, "torn": 0, "killed": 0}, [0, 0, 0, 0]
    for _ in range(tries):
        if operation_id and what == "keep":
            undo_now(engine, operation_id)
        if operation_id and what == "undo":
            start = undoing(export_now(engine, ids))
        engine.dispose()
        moment = chance.random()
        attempted, was_killed = killed(url, start, moment * lasts)
        after = found(engine, attempted)
        happened = after == whole
        seen["killed"] += was_killed
        phases[int(moment * 4)] += was_killed
        seen["whole" if happened else "absent" if after == absent else "torn"] += 1
        operation_id = attempted if happened else ""
    sys.stdout.write(json.dumps(seen | {"phases": phases}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
