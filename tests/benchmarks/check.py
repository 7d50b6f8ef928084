"""One check among a million tokens, against a bare sqlite3 lookup in the same process.

Run: `python -m tests.benchmarks.check [tokens]`

The limit reads one row by the digest's index with the driver alone. `lookup` is the store's:
token, holder, organization and subscription. `check` is the whole use case: form, digest, lookup,
expiry and the noted use. All three ask about the same tokens, in turn; medians of rounds.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.engine import sqlite_module
from lib.store.token_lookup import TokenLookup
from tests.benchmarks.many_tokens import TOKENS, fill, new_database
from tests.support.directory import MINTING, unit_of_work

ROUNDS = 7
LIMIT = 5.0
_BARE = "SELECT organization_id, token_id, state FROM token WHERE digest = ? AND ended_at IS NULL"


def timed(ask: Callable[[Any], object], about: Iterable[Any]) -> list[float]:
    """Return microseconds for each."""
    spent = []
    for each in about:
        begun = time.perf_counter()
        found = ask(each)
        spent.append((time.perf_counter() - begun) * 1e6)
        assert found
    return spent


def main(tokens: int) -> None:
    """Print medians, tails and ratios."""
    engine, kept = fill(new_database("sqlite"), tokens)
    bare = sqlite_module().connect(engine.url.database, isolation_level=None)
    bare.execute("PRAGMA cache_size=-65536")
    lookups, checker = TokenLookup(engine), TokenVerifier(unit_of_work(engine), MINTING)
    digests = MINTING.digests(kept)
    spent: dict[str, list[list[float]]] = {"bare": [], "lookup": [], "check": []}
    for _ in range(ROUNDS):
        spent["bare"].append(timed(lambda d: bare.execute(_BARE, (d,)).fetchone(), digests))
        spent["lookup"].append(timed(lookups.token, digests))
        spent["check"].append(timed(checker.check, kept))
    middle = {name: statistics.median(map(statistics.median, s)) for name, s in spent.items()}
    tail = {name: statistics.median(map(_p99, s)) for name, s in spent.items()}
    ratio = middle["lookup"] / middle["bare"]
    for name in spent:
        sys.stdout.write(f"{name:7} p50 {middle[name]:6.1f} µs  p99 {tail[name]:6.1f} µs\n")
    sys.stdout.write(
        f"among {tokens:,} tokens: lookup {ratio:.2f} of bare (limit {LIMIT}),"
        f" the whole check {middle['check'] / middle['bare']:.2f};"
        f" {ROUNDS} rounds of {len(kept):,}\n"
    )


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else TOKENS)
