"""The API as its own process: `uvicorn lib.web.api:app`."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.directory import MINTING
from tests.support.processes import free_port, wait_until_ready

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Serving:
    """A running process and its output."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def serving(
    url: str,
    folder: Path,
    *options: str,
    app: str = "lib.web.api:app",
    python: str = sys.executable,
    ready: str = "/healthz",
    **settings: str,
) -> Iterator[Serving]:
    """Serve the database at `url`; `settings` are added to the environment.

    `ready` is a path that answers, with any status, when the process has started.
    """
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("TOKEN_DESK_")},
        "DATABASE_URL": url.replace("+psycopg", ""),
        "TOKEN_DESK_DATA": str(folder),
        "TOKEN_DESK_PEPPERS": ",".join(f"{n}:{key.hex()}" for n, key in MINTING.peppers.items()),
        **settings,
    }
    port = free_port()
    log = folder / "api.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [python, "-m", "uvicorn", app, f"--port={port}", *options],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=out,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(f"{address}{ready}", process, log)
        yield Serving(address, process, log)
    finally:
        process.terminate()
        process.wait(timeout=20)
