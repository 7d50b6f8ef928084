r"""How long Recall searches 5 MB: a log, and the texts that could take it longest.

Run: `python -m tests.benchmarks.recall [characters]`

Each text is searched for tokens, in turn with the others; medians of rounds. The last line is the
whole use case on SQLite for the log with 1,000 tokens in it: search, digests, lookup and plans.
"""

import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lib.domain.states import Action
from lib.domain.token_format import mint
from lib.operations import recall
from lib.operations.actions import execute, plan_action
from lib.operations.database import open_database
from lib.operations.leak_reader.reader import pasted, read_leak
from tests.support.actions import exported
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, unit_of_work
from tests.support.leak_forms import percent, unicode_escapes

CHARACTERS = 5_000_000
LIMIT = 2.0  # seconds
ROUNDS = 5
TOKENS = 1_000
LINE = (
    '192.0.2.7 - - [30/Nov/2026:00:53:20 +0000] "GET /api/v2/documents?name=Deed%20of%20Trust'
    '&from=%2Fhome HTTP/1.1" 200 1843 "{\\"done\\": true, \\"at\\": \\"00:53\\"}\\n" \x1b[32mok'
    "\x1b[0m\n"
)


def texts(characters: int) -> dict[str, str]:
    """Return a log, and what makes the most candidates or escapes of so many characters."""
    alphabet = bytes(b"0123456789ABCDEFabcdef"[byte % 22] for byte in range(256))
    rest = hashlib.shake_256(b"rest").digest(characters).translate(alphabet).decode()
    parts = {
        "a log": LINE,
        "prefixes": "demo_",
        "prefixes in a URL": percent("demo_"),
        "percent signs": "%",
        "percent signs in a URL": "%25",
        "letters in a URL": "%41",
        "letters in a URL, four times": "%25252541",
        "backslashes": "\\",
        "letters in JSON": "\\u0041",
        "letters in JSON in JSON": "\\\\u0041",
        "letters in JSON in a URL": percent(unicode_escapes("A")),
        "colour codes": "\x1b[31m",
        "beginnings of colour codes": "\x1b[1",
    }
    repeated = {name: part * (characters // len(part)) for name, part in parts.items()}
    return repeated | {
        "candidates": "".join(f"demo_{rest[at : at + 46]}" for at in range(0, characters, 51)),
        "tokens": "".join(mint(characters // 51, "demo")),
    }


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes once."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def look_up(log: str) -> float:
    """Return the median time of looking up the log with tokens among its lines."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'recall.db'}")
        ids = build(engine, TOKENS)
        plan = plan_action(unit_of_work(engine), ADMIN, Action.GENERATE, ORG, SERVICE, ids)
        leaked = "\n".join(exported(execute(unit_of_work(engine), ADMIN, plan, MINTING)))
        text = log[: len(log) // 2] + leaked + log[len(log) // 2 :]

        def once() -> None:
            assert (
                recall.look_up(unit_of_work(engine), ADMIN, [pasted(text)], MINTING).ending
                == TOKENS
            )

        spent = statistics.median(seconds(once) for _ in range(ROUNDS))
        engine.dispose()
    return spent


def main(characters: int) -> None:
    """Print a line for each text."""
    searched = texts(characters)
    spent: dict[str, list[float]] = {name: [] for name in searched}
    for _ in range(ROUNDS):
        for name, text in searched.items():
            spent[name].append(seconds(lambda text=text: read_leak([pasted(text)], "demo")))
    for name, each in spent.items():
        sys.stdout.write(f"{name:28} {statistics.median(each):6.3f} s\n")
    sys.stdout.write(
        f"{'the whole look-up':28} {look_up(searched['a log']):6.3f} s\n"
        f"{characters:,} characters each; limit {LIMIT} s; medians of {ROUNDS}\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else CHARACTERS)
