"""A warm process that starts operations in forks, kills them at random moments, and counts.

test_kill.py runs it, because a fork needs a process with one thread:
`python -m tests.support.kill URL TRIES SEED`. It prints the result as one line of JSON.
"""

import json
import os
import random
import signal
import sys
import time

from sqlalchemy import Engine, text

from lib.domain.states import Action
from lib.operations.actions import execute, plan_action
from lib.store.engine import open_engine, writing
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, clock, unit_of_work

USERS = 2_000


def generate(url: str, ids: list[str], planned: int) -> None:
    """Plan, send the operation's id, and execute."""
    engine = open_engine(url)
    plan = plan_action(unit_of_work(engine, clock), ADMIN, Action.GENERATE, ORG, SERVICE, ids)
    os.write(planned, plan.operation_id.encode())
    execute(unit_of_work(engine, clock), by(plan), plan, MINTING)


def killed(url: str, ids: list[str], delay: float | None) -> tuple[str, bool]:
    """Start an operation and kill it `delay` seconds after its plan (None: do not kill it).

    Returns the operation's id, and whether it was really killed.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            generate(url, ids, sender)
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


def found(engine: Engine, operation_id: str) -> tuple[int, ...]:
    """Return the numbers of operations, results, and made, live and ended rows of an operation."""
    counts = (
        "SELECT count(*) FROM operation WHERE operation_id = :id",
        "SELECT count(*) FROM operation_result WHERE operation_id = :id",
        "SELECT count(*) FROM token WHERE made_by_operation = :id",
        "SELECT count(*) FROM token WHERE ended_at IS NULL",
        "SELECT count(*) FROM token WHERE ended_by_operation = :id",
    )
    with writing(engine) as connection:
        # Waits for whatever the killed process still holds on the server's side.
        connection.execute(text("UPDATE subscription SET revision = revision + 1"))
        return tuple(connection.execute(text(c), {"id": operation_id}).scalar_one() for c in counts)


def main(url: str, tries: int, seed: int) -> None:
    """Kill `tries` operations. Print how many were whole, absent, torn, and really killed."""
    chance = random.Random(seed)  # noqa: S311 - moments of faults, not secrets
    engine = open_engine(url)
    ids = build(engine, USERS)
    first = plan_action(unit_of_work(engine, clock), ADMIN, Action.GENERATE, ORG, SERVICE, ids)
    execute(unit_of_work(engine, clock), by(first), first, MINTING)
    engine.dispose()
    begun = time.perf_counter()
    killed(url, ids, None)
    lasts = time.perf_counter() - begun
    whole = (1, USERS, USERS, USERS, USERS)
    absent = (0, 0, 0, USERS, 0)
    seen = {"whole": 0, "absent": 0, "torn": 0, "killed": 0}
    for _ in range(tries):
        operation_id, was_killed = killed(url, ids, chance.uniform(0, lasts))
        after = found(engine, operation_id)
        engine.dispose()
        seen["killed"] += was_killed
        seen["whole" if after == whole else "absent" if after == absent else "torn"] += 1
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
