"""What the guard adds to a rerun: the door of a real sign-in against a page without one.

Run: `python -m tests.benchmarks.guard`. Limit: 2 ms more (the issue's). The same page is rerun with
the whole guard (the sign-in's row, the account and its grants, read anew each time) and with a
guard that knows the answer already, in turn; the HTTP side, which asks once more for each message
of the WebSocket, is timed by itself.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import streamlit as st
from streamlit.testing.v1 import AppTest

from lib.domain.access import Actor
from lib.operations.database import open_database
from lib.ui.auth import sign_in
from lib.ui.session import session
from tests.support.directory import ADMINISTRATOR, build

FRAME = Path(__file__).parents[2] / "pages" / "navigation.py"
PEPPER = b"g" * 32
PAIRS = 250
USERS = 10_000
CLAIMS = {
    "is_logged_in": True,
    "iss": "https://id.example.com",
    "sub": "4711",
    "nonce": "once",
    "preferred_username": "mhale",
}


def prepare() -> None:
    """Settings of a real sign-in, and a directory with an API administrator."""
    folder = Path(tempfile.mkdtemp())
    url = f"sqlite:///{folder / 'desk.db'}"
    engine = open_database(url)
    build(engine, USERS)
    engine.dispose()
    os.environ |= {
        "DATABASE_URL": url,
        "TOKEN_DESK_DATA": str(folder),
        "TOKEN_DESK_PEPPERS": f"1:{PEPPER.hex()}",
        "TOKEN_DESK_SIGN_IN": "oidc",
    }


def known(_declare: sign_in.DeclarePages) -> Actor:
    """Tell who is signed in without asking anybody."""
    session().username = "mhale"
    return Actor("mhale", "Morgan Hale", ADMINISTRATOR)


def rerun_ms(at: AppTest) -> float:
    """Return the milliseconds of a rerun."""
    begun = time.perf_counter()
    at.run(timeout=60)
    assert not at.exception
    return (time.perf_counter() - begun) * 1e3


def call_ms(call: Callable[[], object]) -> float:
    """Return the median milliseconds of a call."""
    spent = []
    for _ in range(1_000):
        begun = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(spent)


def main() -> None:
    """Print medians, ratio and difference."""
    prepare()
    st.secrets.merge_programmatic_secrets({"auth": {"client_id": "x"}})
    at = AppTest.from_file(FRAME, default_timeout=60)
    at.user.clear()
    at.user.update(CLAIMS | {"iat": int(time.time())})
    at.run()
    at.switch_page("help.py").run()
    assert at.header[0].value == "Help"
    guarded, bare = [], []
    for _ in range(PAIRS):
        guarded.append(rerun_ms(at))
        with patch.object(sign_in, "sign_in_with_oidc", known):
            bare.append(rerun_ms(at))
    with_guard, without = statistics.median(guarded), statistics.median(bare)
    claims = dict(at.user)
    message = call_ms(lambda: sign_in.session_status(claims, []))
    sys.stdout.write(
        f"a rerun with the guard {with_guard:6.2f} ms, without {without:6.2f} ms:"
        f" {with_guard / without:4.2f} times, {with_guard - without:+5.2f} ms (limit +2 ms)\n"
        f"a message of the WebSocket {message:6.3f} ms more\n"
    )


if __name__ == "__main__":
    main()
