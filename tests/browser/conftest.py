"""A server of our own on demo data, and a Chromium that looks at it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from lib.demo import fill_demo
from lib.domain import clock
from lib.domain.audit import Seal
from lib.domain.secrets import Minting
from lib.operations.ledger import Ledger
from lib.operations.opening import open_store
from tests.browser.browsing import CHROMIUM_ARGUMENTS, Browsing
from tests.processes import free_port, wait_until_ready

ROOT = Path(__file__).parents[2]
PEPPER = b"b" * 32


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    address: str
    database: str
    log: Path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real Chromium; its absence is a failure, not a skip."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "browser tests need Chromium: sh tests/run installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Start a dashboard on a database address; empty for the default database."""
    started: list[subprocess.Popen[bytes]] = []

    def start(database: str = "") -> Server:
        folder = tmp_path_factory.mktemp("desk")
        port = free_port()
        environment = {
            **os.environ,
            "TOKEN_DESK_DATA": str(folder),
            "TOKEN_DESK_PEPPERS": f"1:{PEPPER.hex()}",
            "PYTHONUNBUFFERED": "1",
        }
        environment.pop("DATABASE_URL", None)
        if database:
            environment["DATABASE_URL"] = database
        log = folder / "server.log"
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        options = ["--server.headless=true", f"--server.port={port}", "--logger.level=debug"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, *options], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        started.append(process)
        address = f"http://localhost:{port}"
        wait_until_ready(f"{address}/_stcore/health", process, log)
        return Server(address, database or f"sqlite:///{folder / 'token-desk.db'}", log)

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def server(serve: Callable[[str], Server]) -> Server:
    """A dashboard on SQLite with demo data, for one file of tests."""
    return serve("")


@pytest.fixture
def postgresql_server(serve: Callable[[str], Server], postgresql_url: str) -> Server:
    """A dashboard on PostgreSQL with demo data."""
    engine = open_store(postgresql_url)
    peppers = {1: PEPPER}
    fill_demo(Ledger(engine, clock.now, Seal.of(peppers)), Minting("demo", peppers))
    engine.dispose()
    return serve(postgresql_url)


@pytest.fixture
def new_tab(chromium: Browser) -> Iterator[Callable[..., Browsing]]:
    """Open tabs as different people would: each with its own cookies."""
    contexts = []

    def open_tab(
        address: str, *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Browsing:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        return Browsing(context.new_page(), address)

    yield open_tab
    for context in contexts:
        context.close()


@pytest.fixture
def tab(new_tab: Callable[..., Browsing], server: Server) -> Browsing:
    """One tab on the dashboard with demo data."""
    return new_tab(server.address)
