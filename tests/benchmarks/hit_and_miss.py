"""Do a hit and a miss take the same time? Welch's t over interleaved pairs in one process.

Run: `python -m tests.benchmarks.hit_and_miss [sqlite|postgresql …] [pairs]`

A good token that was accepted and noted before, against well-formed tokens that nobody has, and
against tokens of another service: what a service could learn about tokens that are not its own.
Asked as the event loop asks.
Which of a pair comes first is a coin's. |t| below 4.5 is the promise.
"""

import asyncio
import gc
import itertools
import math
import random
import statistics
import sys
import time
from typing import NamedTuple

from lib.domain.token_format import mint
from lib.operations.verification.token_verifier import TokenVerifier
from tests.benchmarks.asked import asked_for
from tests.benchmarks.many_tokens import fill, new_database
from tests.support.directory import MINTING, SERVICE, unit_of_work

PAIRS = 100_000
TOKENS = 100_000
LIMIT = 4.5
_CROPPED = 0.95  # the slowest twentieth of both is the machine's own business


class Compared(NamedTuple):
    """Medians in microseconds, and t over all pairs and without the slowest twentieth."""

    first: float
    second: float
    t: float
    cropped: float


def welch(a: list[float], b: list[float]) -> float:
    """Return Welch's t."""
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    return (statistics.fmean(a) - statistics.fmean(b)) / math.sqrt(spread)


async def compare(
    checker: TokenVerifier, first: tuple[list[str], str], second: tuple[list[str], str]
) -> Compared:
    """Check pairs of tokens, each with the service that asks."""
    coin = random.Random(1)  # noqa: S311 - no secret
    spent: tuple[list[float], list[float]] = ([], [])
    clock, check = time.perf_counter_ns, checker.check_in_loop
    for pair in zip(first[0], second[0], strict=True):
        order = (0, 1) if coin.random() < 0.5 else (1, 0)
        for which in order:
            token, service_id = pair[which], (first, second)[which][1]
            begun = clock()
            await check(token, service_id)
            spent[which].append((clock() - begun) / 1000)
    most = sorted(spent[0] + spent[1])[int(len(spent[0]) * 2 * _CROPPED)]
    kept = [[value for value in each if value <= most] for each in spent]
    return Compared(*map(statistics.median, spent), welch(*spent), welch(*kept))


async def main(kind: str, pairs: int) -> None:
    """Print the comparison, and of two halves of the same kind for what the machine adds."""
    engine, kept = fill(new_database(kind), TOKENS)
    checker = TokenVerifier(unit_of_work(engine), MINTING)
    for token in kept:
        assert checker.check(token, SERVICE)
    good = [kept[n % len(kept)] for n in range(pairs)]
    other = [kept[(n + 7_919) % len(kept)] for n in range(pairs)]
    # As many different ones as there are good ones: rows that were read before are read faster.
    strange = mint(len(kept), MINTING.prefix)
    assert not any(map(checker.check, strange))
    unknown = [strange[n % len(kept)] for n in range(pairs)]
    gc.disable()
    for name, first, second in (
        ("good and unknown", (good, SERVICE), (unknown, SERVICE)),
        ("good and another service's", (good, SERVICE), (other, "none")),
        ("unknown and another service's", (unknown, "none"), (other, "none")),
        ("good and good", (good, SERVICE), (other, SERVICE)),
    ):
        found = await compare(checker, first, second)
        sys.stdout.write(
            f"{kind:10} {name:30} {found.first:6.2f} and {found.second:6.2f} µs  t {found.t:6.2f},"
            f" without the slowest twentieth {found.cropped:6.2f} (promise {LIMIT})\n"
        )


if __name__ == "__main__":
    for kind, pairs in itertools.product(*asked_for(PAIRS)):
        asyncio.run(main(kind, pairs))
