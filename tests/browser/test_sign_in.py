"""Signing in at a real identity provider, as a person meets it; and what a forger meets."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, text

from lib.demo import fill_demo
from lib.domain import clock
from lib.domain.audit import Seal
from lib.domain.secrets import Minting
from lib.operations.ledger import Ledger
from lib.operations.opening import open_store
from lib.store.engine import open_engine, reading, writing
from tests.browser.browsing import Browsing

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PEPPER = b"s" * 32
COOKIE_SECRET = "cookie-secret-of-the-browser-tests"
USER_COOKIE = "_streamlit_user"
ORG, SERVICE = "UTCJF1", "erecording"
TOKENS = f"api-tokens?org={ORG}&service={SERVICE}"
PEOPLE = {
    "mhale": "API administrator of the demo",
    "adoyle": "a user of the demo",
    "tokeefe": "inactive in the demo",
    "nobody": "unknown to the demo",
}


@dataclass(frozen=True)
class Desk:
    """A running dashboard."""

    address: str
    database: str
    log: Path

    def execute(self, statement: str, **values: object) -> list[tuple]:
        """Read or change the database by hand."""
        engine = open_engine(self.database)
        with writing(engine) as connection:
            done = connection.execute(text(statement), values)
            rows = [tuple(row) for row in done] if done.returns_rows else []
        engine.dispose()
        return rows


def step(sentence: str) -> None:
    """Say what is done next; `pytest -s` shows it."""
    print(f"  · {sentence}")  # noqa: T201 - the issue asks for the walk in print


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.05)  # between two looks at the condition, not instead of it
    pytest.fail(f"{address} did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def processes() -> Iterator[list[subprocess.Popen]]:
    """What this file starts, ended with it."""
    started: list[subprocess.Popen] = []
    yield started
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def provider(processes, tmp_path_factory) -> str:
    """The address of an identity provider that knows four people."""
    port = free_port()
    log = tmp_path_factory.mktemp("provider") / "log"
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    for username in PEOPLE:
        claims = {
            "sub": username,
            "preferred_username": username,
            "email": f"{username}@example.com",
        }
        command += ["--user-claims", json.dumps(claims)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    processes.append(process)
    address = f"http://localhost:{port}"
    wait_for(f"{address}/.well-known/openid-configuration", process, log)
    return address


@pytest.fixture(scope="module")
def start(processes, tmp_path_factory) -> Callable[..., Desk]:
    """Start a dashboard with demo data and these settings; `{port}` stands for its own."""

    def start_desk(database: str = "", **settings: str) -> Desk:
        folder = tmp_path_factory.mktemp("desk")
        database = database or f"sqlite:///{folder / 'desk.db'}"
        fill(database)
        port = free_port()
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TOKEN_DESK_")},
            "DATABASE_URL": database,
            "TOKEN_DESK_DATA": str(folder),
            "TOKEN_DESK_PEPPERS": f"1:{PEPPER.hex()}",
            "PYTHONUNBUFFERED": "1",
            **{f"TOKEN_DESK_{k.upper()}": v.format(port=port) for k, v in settings.items()},
        }
        log = folder / "server.log"
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        options = ["--server.headless=true", f"--server.port={port}"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, *options], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        processes.append(process)
        address = f"http://localhost:{port}"
        wait_for(f"{address}/_stcore/health", process, log)
        return Desk(address, database, log)

    return start_desk


def fill(database: str) -> None:
    """Fill a database with demo data, and make one person of it inactive."""
    engine = open_store(database)
    keys = {1: PEPPER}
    fill_demo(Ledger(engine, clock.now, Seal.of(keys)), Minting("demo", keys))
    engine.dispose()


@pytest.fixture(scope="module")
def oidc(provider) -> dict[str, str]:
    """The settings of sign-in at the provider."""
    return {
        "sign_in": "oidc",
        "oidc_client_id": "token-desk",
        "oidc_client_secret": "of-the-tests",
        "oidc_metadata_url": f"{provider}/.well-known/openid-configuration",
        "oidc_redirect_uri": "http://localhost:{port}/oauth2callback",
        "oidc_cookie_secret": COOKIE_SECRET,
    }


@pytest.fixture(scope="module")
def desk(start, oidc) -> Desk:
    """A dashboard on SQLite whose people sign in at the provider."""
    return start(**oidc)
