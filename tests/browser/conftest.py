"""A server of our own on demo data, and a Chromium that looks at it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from lib.demo.demo_data import fill_demo
from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.token_format import Minting
from lib.operations.database import open_database
from lib.operations.unit_of_work import UnitOfWork
from tests.browser.browsing import CHROMIUM_ARGUMENTS, Browsing
from tests.browser.signing_in import (
    COOKIE_SECRET,
    PEOPLE,
    PEPPER,
    TOKENS,
    Desk,
    Proxy,
    fill,
    sign_in,
)
from tests.conftest import ENGINES
from tests.support.postgresql import database
from tests.support.processes import free_port, wait_until_ready

ROOT = Path(__file__).parents[2]


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
    engine = open_database(postgresql_url)
    peppers = {1: PEPPER}
    fill_demo(UnitOfWork(engine, clock.now, AuditKeyring.of(peppers)), Minting("demo", peppers))
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
    wait_until_ready(f"{address}/.well-known/openid-configuration", process, log)
    return address


@pytest.fixture(scope="module")
def start(processes, tmp_path_factory) -> Callable[..., Desk]:
    """Start a dashboard with demo data and these settings; `{port}` stands for its own."""

    def start_desk(
        database: str = "",
        command: tuple[str, ...] = ("streamlit", "run", "app.py", "--server.headless=true"),
        **settings: str,
    ) -> Desk:
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
        option = f"--server.port={port}" if command[0] == "streamlit" else f"--port={port}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *command, option],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=out,
            )
        processes.append(process)
        address = f"http://localhost:{port}"
        wait_until_ready(f"{address}/_stcore/health", process, log)
        return Desk(address, database, log, process.pid)

    return start_desk


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


@pytest.fixture(scope="module", params=ENGINES)
def any_desk(request, start, oidc) -> Iterator[Desk]:
    """The same on each engine."""
    if request.param == "sqlite":
        yield request.getfixturevalue("desk")
        return
    with database(request.getfixturevalue("postgresql")) as address:
        yield start(address, **oidc)


@pytest.fixture
def signed_in(desk, new_tab) -> Browsing:
    """A tab in which mhale is signed in and looks at the tokens."""
    tab = new_tab(desk.address)
    tab.open(TOKENS)
    sign_in(tab, "mhale")
    tab.heading("Recipient API Tokens")
    return tab


@pytest.fixture(scope="module")
def proxied(start) -> Desk:
    """A dashboard behind a sign-in proxy."""
    return start(sign_in="proxy")


@pytest.fixture
def through(proxied) -> Iterator[Callable[[bytes], str]]:
    """Open a proxy that adds these lines; return its address."""
    proxies: list[Proxy] = []

    def open_proxy(lines: bytes) -> str:
        proxies.append(Proxy(proxied.address, lines))
        return proxies[-1].address

    yield open_proxy
    for proxy in proxies:
        proxy.close()
