"""Dashboards on demo data, and tabs that look at them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from sqlalchemy import make_url

from tests.support.browser import PATIENCE, TOKENS, Tab
from tests.support.dashboards import Dashboard, Dashboards, fill
from tests.support.postgresql import database, new_database
from tests.support.processes import free_port, wait_until_ready
from tests.support.sign_in import CLAIMS, COOKIE_SECRET, PEOPLE, sign_in
from tests.support.sign_in_proxy import SignInProxy
from tests.support.tabs import Tabs, start_chromium


@pytest.fixture(scope="session")
def tabs() -> Iterator[Tabs]:
    """Tabs of a real Chromium."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        chromium = start_chromium(playwright)
        yield Tabs(chromium)
        chromium.close()


@pytest.fixture
def new_tab(tabs: Tabs) -> Iterator[Callable[..., Tab]]:
    """Open tabs as different people would: each with its own cookies."""
    with tabs.opener() as open_tab:
        yield open_tab


@pytest.fixture(scope="session")
def dashboards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboards]:
    """Dashboards, which end with the tests."""
    started = Dashboards(tmp_path_factory.mktemp)
    yield started
    started.end()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with demo data, to be copied."""
    path = tmp_path_factory.mktemp("demo") / "demo.db"
    fill(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_demo(postgresql: str) -> str:
    """The name of a PostgreSQL database with demo data, to be copied."""
    address = new_database(postgresql)
    fill(address)
    return str(make_url(address).database)


@pytest.fixture
def server(dashboards: Dashboards, demo: Path) -> Dashboard:
    """A dashboard that shows the demo, as it is before anybody has changed it."""
    return dashboards.showing(demo)


@pytest.fixture
def postgresql_server(
    dashboards: Dashboards, postgresql: str, postgresql_demo: str
) -> Iterator[Dashboard]:
    """The same on PostgreSQL."""
    with database(postgresql, postgresql_demo) as address:
        yield dashboards.start(database=address)


@pytest.fixture
def tab(new_tab: Callable[..., Tab], server: Dashboard) -> Tab:
    """One tab on the dashboard with demo data."""
    return new_tab(server.address)


@pytest.fixture(scope="session")
def provider(dashboards: Dashboards, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an identity provider that knows the people of `PEOPLE` and `CLAIMS`."""
    port = free_port()
    log = tmp_path_factory.mktemp("provider") / "log"
    command = ["-W", "ignore", "-m", "tests.support.oidc_provider", "--port", str(port)]
    for username in (*PEOPLE, *CLAIMS):
        claims = {
            "sub": username,
            "preferred_username": username,
            "email": f"{username}@example.com",
            **CLAIMS.get(username, {}),
        }
        command += ["--user-claims", json.dumps(claims)]
    process = dashboards.run(command, log)
    address = f"http://localhost:{port}"
    wait_until_ready(f"{address}/.well-known/openid-configuration", process, log)
    return address


@pytest.fixture(scope="session")
def oidc_settings(provider: str) -> dict[str, str]:
    """The settings of sign-in at the provider."""
    return {
        "sign_in": "oidc",
        "oidc_client_id": "token-desk",
        "oidc_client_secret": "of-the-tests",
        "oidc_metadata_url": f"{provider}/.well-known/openid-configuration",
        "oidc_redirect_uri": "http://localhost:{port}/oauth2callback",
        "oidc_cookie_secret": COOKIE_SECRET,
    }


@pytest.fixture
def oidc_server(dashboards: Dashboards, demo: Path, oidc_settings: dict[str, str]) -> Dashboard:
    """A dashboard on SQLite whose people sign in at the provider."""
    return dashboards.showing(demo, **oidc_settings)


@pytest.fixture(scope="module")
def postgresql_oidc_server(
    dashboards: Dashboards, postgresql: str, postgresql_demo: str, oidc_settings: dict[str, str]
) -> Iterator[Dashboard]:
    """The same on PostgreSQL."""
    with database(postgresql, postgresql_demo) as address:
        yield dashboards.start(database=address, **oidc_settings)


@pytest.fixture(scope="session")
def sign_in_cookies() -> dict[str, list]:
    """The cookies of each person who has signed in at the provider."""
    return {}


@pytest.fixture
def open_as(oidc_server, new_tab, sign_in_cookies) -> Callable[[str, str], Tab]:
    """Open a page as a person, who signs in at the provider once for all tests."""

    def open_page(username: str, path: str) -> Tab:
        tab = new_tab(oidc_server.address)
        tab.page.context.add_cookies(sign_in_cookies.get(username, []))
        tab.open(path)
        if username not in sign_in_cookies:
            sign_in(tab, username)
            sign_in_cookies[username] = tab.page.context.cookies()
        return tab

    return open_page


@pytest.fixture
def admin_tab(open_as) -> Tab:
    """A tab in which mhale is signed in and looks at the tokens."""
    tab = open_as("mhale", TOKENS)
    tab.expect_heading("Recipient API Tokens")
    return tab


@pytest.fixture
def admin_cookies(open_as, sign_in_cookies) -> dict[str, str]:
    """The cookies, by name, of mhale, who has signed in."""
    if "mhale" not in sign_in_cookies:
        open_as("mhale", TOKENS)
    return {cookie["name"]: cookie["value"] for cookie in sign_in_cookies["mhale"]}


@pytest.fixture
def proxy_server(dashboards: Dashboards, demo: Path) -> Dashboard:
    """A dashboard behind a sign-in proxy."""
    return dashboards.showing(demo, sign_in="proxy")


@pytest.fixture(scope="session")
def idle_proxies() -> Iterator[list[SignInProxy]]:
    """Proxies for the next test: a tab is quick at an address where it has been before."""
    idle: list[SignInProxy] = []
    yield idle
    for proxy in idle:
        proxy.close()


@pytest.fixture
def open_proxy(
    proxy_server: Dashboard, idle_proxies: list[SignInProxy]
) -> Iterator[Callable[[bytes], str]]:
    """Open a proxy that adds these lines; return its address."""
    used: list[SignInProxy] = []

    def open_proxy(lines: bytes) -> str:
        used.append(idle_proxies.pop() if idle_proxies else SignInProxy(proxy_server.address))
        used[-1].lines = lines
        return used[-1].address

    yield open_proxy
    idle_proxies.extend(reversed(used))
