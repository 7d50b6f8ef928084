"""Script time of a rerun of the tokens page: tick, page turn, search.

Run: `python -m tests.benchmarks.tokens_page [users …]`. Limits: 40 ms for a tick or a page turn,
250 ms for a new search (the issue's); the reference is an empty Streamlit script in the same run.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from lib.operations.database import open_database
from lib.ui.app_context import _open
from lib.ui.tokens.tokens_state import TokensState
from tests.support.directory import ORG, SERVICE, build

FRAME = Path(__file__).parents[2] / "pages" / "navigation.py"
ROUNDS = 21
SIZES = (800, 100_000)


def timed(at: AppTest, change: Callable[[int], None]) -> float:
    """Return the median milliseconds of a rerun after `change`."""
    spent = []
    for number in range(ROUNDS):
        change(number)
        begun = time.perf_counter()
        at.run(timeout=60)
        spent.append((time.perf_counter() - begun) * 1e3)
    assert not at.exception
    return statistics.median(spent)


def measure(users: int) -> str:
    """Return a line with the medians for an organization of `users`."""
    folder = Path(tempfile.mkdtemp())
    url = f"sqlite:///{folder / 'desk.db'}"
    engine = open_database(url)
    build(engine, users)
    engine.dispose()
    _open.cache_clear()
    os.environ |= {"DATABASE_URL": url, "TOKEN_DESK_DATA": str(folder)}
    at = AppTest.from_file(FRAME, default_timeout=60).run()
    at.query_params["org"] = ORG
    at.query_params["service"] = SERVICE
    at.switch_page("api_tokens.py").run()
    assert at.header[0].value == "Recipient API Tokens"

    def tick(number: int) -> None:
        state = at.session_state["session"].page_states[TokensState]
        key = f"tokens_table_{state.table_frame.number}"
        at.session_state[key] = {
            "edited_rows": {number % 50: {"Select": True}},
            "added_rows": [],
            "deleted_rows": [],
        }

    def turn(number: int) -> None:
        at.pagination[0].set_value(number % 8 + 2)

    def search(number: int) -> None:
        at.text_input(key="tokens_search").set_value(f"user 0{number:02}")

    ticks, turns, searches = timed(at, tick), timed(at, turn), timed(at, search)
    return (
        f"{users:>7,} users  tick {ticks:6.1f} ms ({ticks / 40:4.2f} of the limit)"
        f"  page turn {turns:6.1f} ms ({turns / 40:4.2f})"
        f"  search {searches:6.1f} ms ({searches / 250:4.2f})"
    )


def empty() -> str:
    """Return a line with the median of an empty script, AppTest's own share included."""
    at = AppTest.from_string("import streamlit as st\nst.header('x')").run()
    return f"  an empty script {timed(at, lambda _: None):6.1f} ms (medians of {ROUNDS})"


if __name__ == "__main__":
    for users in [int(word) for word in sys.argv[1:]] or SIZES:
        sys.stdout.write(measure(users) + "\n")
    sys.stdout.write(empty() + "\n")
