"""Signing in at a real identity provider, as a person meets it; and what a forger meets."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import text
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lib.demo import fill_demo
from lib.domain import clock
from lib.domain.audit import Seal
from lib.domain.secrets import Minting
from lib.operations.ledger import Ledger
from lib.operations.opening import open_store
from lib.store.engine import open_engine, writing
from tests.browser.browsing import Browsing
from tests.conftest import ENGINES
from tests.postgresql import database
from tests.processes import free_port, wait_until_ready

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PEPPER = b"s" * 32
COOKIE_SECRET = "cookie-secret-of-the-browser-tests"  # noqa: S105 - of nothing else
USER_COOKIE = "_streamlit_user"
TOKENS = "api-tokens?org=UTCJF1&service=erecording"
DAY = 24 * 3600
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
    print(f"  · {sentence}")


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
        wait_until_ready(f"{address}/_stcore/health", process, log)
        return Desk(address, database, log)

    return start_desk


def fill(database: str) -> None:
    """Fill a database with demo data, in which Tadhg O'Keefe is inactive."""
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


@pytest.fixture(scope="module", params=ENGINES)
def any_desk(request, start, oidc) -> Iterator[Desk]:
    """The same on each engine."""
    if request.param == "sqlite":
        yield request.getfixturevalue("desk")
        return
    with database(request.getfixturevalue("postgresql")) as address:
        yield start(address, **oidc)


def sign_in(tab: Browsing, username: str) -> None:
    """Click Sign in, be this person at the provider, and come back."""
    tab.button("Sign in").click()
    tab.page.wait_for_url("**/oauth2/authorize**")
    tab.page.get_by_role("button", name=username, exact=True).click()
    tab.page.wait_for_url(f"{tab.address}/**")
    tab.settle()


def sign_out(tab: Browsing, button: str = "Sign out") -> None:
    """Click Sign out, and agree at the provider."""
    tab.button(button).click()
    tab.page.wait_for_url("**/end_session**")
    tab.page.get_by_role("button", name="End session").click()
    tab.page.wait_for_url(f"{tab.address}/**")
    tab.settle()


def asks_to_sign_in(tab: Browsing) -> None:
    """Expect the sign-in page, and nothing of anybody's on it."""
    tab.heading("Sign in to Token Desk")
    expect(tab.button("Sign in")).to_be_visible()
    expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(tab.page.get_by_test_id("stDialog")).to_have_count(0)
    expect(tab.page.get_by_text("Juniper County Recorder")).to_have_count(0)


def events(desk: Desk, actor: str) -> list[tuple[str, str]]:
    """Return action and detail of what a person did, oldest first."""
    return desk.execute(
        "SELECT action, detail FROM audit_event WHERE actor = :actor ORDER BY event_id",
        actor=actor,
    )


def cookie_of(context: BrowserContext) -> dict[str, Any]:
    """Return the cookie of who is signed in."""
    (cookie,) = [c for c in context.cookies() if c["name"] == USER_COOKIE]
    return cookie


def put_cookie(context: BrowserContext, cookie: dict[str, Any], value: str) -> None:
    """Put the cookie into the browser with another value."""
    context.clear_cookies(name=USER_COOKIE)
    kept = {name: cookie[name] for name in ("name", "domain", "path", "httpOnly", "sameSite")}
    context.add_cookies([kept | {"value": value}])


def claims_in(value: str) -> dict[str, Any]:
    """Return what a signed cookie says; anybody can read it."""
    said = URLSafeTimedSerializer(COOKIE_SECRET, salt=USER_COOKIE).loads(value)
    return json.loads(said)


def signed(claims: dict[str, Any], *, seconds_ago: int = 0, key: str = COOKIE_SECRET) -> str:
    """Return a cookie that was signed some time ago."""

    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - seconds_ago

    serializer = URLSafeTimedSerializer(key, salt=USER_COOKIE, signer=Earlier)
    return str(serializer.dumps(json.dumps(claims)))


def stream(desk_address: str, origin: str | None, headers: list[tuple[str, str]] | None = None):
    """Open the WebSocket as a program would."""
    return connect(
        f"{desk_address.replace('http', 'ws', 1)}/_stcore/stream",
        origin=origin,
        additional_headers=headers or [],
        subprotocols=["streamlit"],
        max_size=None,
    )


def first_page(
    desk_address: str, headers: list[tuple[str, str]], url_path: str = "organizations"
) -> str:
    """Return every word that a program with these headers is sent for a page."""
    told = b""
    with stream(desk_address, desk_address, headers) as socket_:
        asked = BackMsg()
        asked.rerun_script.page_name = url_path
        socket_.send(asked.SerializeToString())
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            try:
                told += socket_.recv(timeout=1)
            except TimeoutError:
                break
    return told.decode("utf-8", "replace")


class TestTheWalk:
    """In at the provider, through the pages, out again; on each engine."""

    def test_in_act_out_and_back(self, any_desk, new_tab):
        """What a working day looks like, step by step."""
        print(f"\n  Sign-in at a real provider, {any_desk.database.partition(':')[0]}")
        tab = new_tab(any_desk.address)
        step("a deep link, without a cookie: the sign-in page, and no menu")
        tab.open(TOKENS)
        asks_to_sign_in(tab)
        tab.picture("sign-in-1280-light")
        step("sign in as mhale at the provider; back at the page of the link")
        sign_in(tab, "mhale")
        tab.heading("Recipient API Tokens")
        assert tab.page.url == f"{any_desk.address}/{TOKENS}"
        expect(tab.page.get_by_text("API administrator", exact=True)).to_be_visible()
        step("walk: Notifications and back to the tokens")
        tab.menu("Notifications")
        tab.menu("API 2.0 Tokens")
        step("act: request a token for one user")
        tab.search("akhan")
        tab.tick([0])
        tab.pick("Actions", "Request New API Token")
        tab.click("Confirm")
        expect(tab.page.get_by_text("1 new token requested")).to_be_visible()
        step("reload: still signed in")
        tab.page.reload()
        tab.settle()
        tab.heading("Recipient API Tokens")
        step("sign out, here and at the provider")
        sign_out(tab)
        asks_to_sign_in(tab)
        step("come back: asked again")
        tab.open(TOKENS)
        asks_to_sign_in(tab)
        step("what the audit trail has")
        assert events(any_desk, "mhale") == [("sign-in", ""), ("request", ""), ("sign-out", "")]

    def test_a_user_without_a_role(self, any_desk, new_tab):
        """Sees their own tokens; a deep link to a page for others is refused and recorded."""
        tab = new_tab(any_desk.address)
        step("adoyle follows a link to Token coverage")
        tab.open("coverage")
        sign_in(tab, "adoyle")
        expect(tab.page.get_by_text("This page is for ")).to_be_visible()
        expect(tab.page.get_by_text("User", exact=True)).to_be_visible()
        step("a second click there records nothing more")
        tab.page.get_by_role("link", name="Go to My API tokens").click()
        tab.settle()
        tab.heading("My API tokens")
        assert events(any_desk, "adoyle") == [("sign-in", ""), ("refusal", "page: coverage")]
        sign_out(tab)

    def test_somebody_else_in_the_same_browser(self, desk, new_tab):
        """The first tab is the second person's, with nothing of the first's."""
        first = new_tab(desk.address)
        first.open(TOKENS)
        sign_in(first, "mhale")
        first.tick([0])
        first.selected("1 selected")
        step("in a second tab mhale signs out, and adoyle signs in")
        second = Browsing(first.page.context.new_page(), desk.address)
        second.open("my-api-tokens")
        sign_out(second)
        sign_in(second, "adoyle")
        step("the first tab's next click belongs to adoyle")
        first.button("Select page").click()
        expect(first.page.get_by_text("This page is for ")).to_be_visible()
        expect(first.page.get_by_text("Andre Doyle", exact=True)).to_be_visible()
        expect(first.page.get_by_text("1 selected", exact=True)).to_have_count(0)


class TestTurnedAway:
    """Whom the provider knows, and we do not, or no longer."""

    @pytest.mark.parametrize(
        ("username", "heading", "error"),
        [
            ("nobody", "Token Desk does not know you yet", "NotInDirectory"),
            ("tokeefe", "Your account is inactive", "Inactive"),
        ],
    )
    def test_kindly(self, desk, new_tab, username, heading, error):
        """Told whom to ask; can be somebody else; recorded."""
        tab = new_tab(desk.address)
        tab.open("organizations")
        step(f"sign in as {username}, {PEOPLE[username]}")
        sign_in(tab, username)
        tab.heading(heading)
        expect(tab.page.get_by_text("Ask an API administrator")).to_be_visible()
        expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)
        tab.picture(f"sign-in-{username}-1280-light")
        assert events(desk, username) == [("refusal", f"sign-in: {error}")]
        step("be somebody else")
        sign_out(tab, "Sign in as someone else")
        asks_to_sign_in(tab)
        sign_in(tab, "mhale")
        expect(tab.page.get_by_text("Morgan Hale", exact=True)).to_be_visible()
        sign_out(tab)


@pytest.fixture
def signed_in(desk, new_tab) -> Browsing:
    """A tab in which mhale is signed in and looks at the tokens."""
    tab = new_tab(desk.address)
    tab.open(TOKENS)
    sign_in(tab, "mhale")
    tab.heading("Recipient API Tokens")
    return tab


class TestCookies:
    """The cookie is worth what its signature and our row say."""

    def test_changed_by_hand(self, desk, signed_in):
        """Another name, a cut, a letter, another key: nobody."""
        context = signed_in.page.context
        cookie = cookie_of(context)
        payload, rest = cookie["value"].split(".", 1)
        claims = claims_in(cookie["value"])
        other = json.dumps(claims | {"preferred_username": "rfenwick"})
        renamed = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
        # Of the last letter some bits are padding, so the first is changed.
        signature = cookie["value"].rpartition(".")[2]
        other_signature = ("B" if signature[0] == "A" else "A") + signature[1:]
        forged = {
            "another name": f"{renamed}.{rest}",
            "a letter of the signature": f"{cookie['value'].rpartition('.')[0]}.{other_signature}",
            "cut short": cookie["value"][:-5],
            "no signature": payload,
            "another key": signed(claims, key="another-key-of-thirty-two-letters!"),
            "not a cookie": "chunks-3",
        }
        for what, value in forged.items():
            step(f"cookie changed by hand: {what}")
            put_cookie(context, cookie, value)
            signed_in.open(TOKENS)
            asks_to_sign_in(signed_in)
        step("the untouched one is still good")
        put_cookie(context, cookie, cookie["value"])
        signed_in.open(TOKENS)
        signed_in.heading("Recipient API Tokens")
        assert [name for (name, _) in events(desk, "rfenwick")] == []

    def test_expired(self, signed_in):
        """Signed 40 days ago; and signed now with the claims of 13 hours ago."""
        context = signed_in.page.context
        cookie = cookie_of(context)
        claims = claims_in(cookie["value"])
        step("a cookie signed 40 days ago")
        put_cookie(context, cookie, signed(claims, seconds_ago=40 * DAY))
        signed_in.open(TOKENS)
        asks_to_sign_in(signed_in)
        step("a cookie whose sign-in was 13 hours ago, and is seen for the first time")
        early = claims | {"iat": int(time.time()) - 13 * 3600}
        put_cookie(context, cookie, signed(early))
        signed_in.open(TOKENS)
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("a sign-in lasts 12 hours")).to_be_visible()

    def test_replayed_after_signing_out(self, desk, signed_in, new_tab):
        """A copy taken before is refused, in this browser and in another."""
        cookie = cookie_of(signed_in.page.context)
        sign_out(signed_in)
        thief = new_tab(desk.address)
        for tab in (signed_in, thief):
            step("the cookie of before the sign-out")
            put_cookie(tab.page.context, cookie, cookie["value"])
            tab.open(TOKENS)
            asks_to_sign_in(tab)
            expect(tab.page.get_by_text("You are signed out.")).to_be_visible()
            put_cookie(tab.page.context, cookie, "")
        step("a new sign-in from there comes back to the page")
        sign_in(thief, "mhale")
        thief.heading("Recipient API Tokens")


def grow_old(desk: Desk, column: str, hours: float) -> None:
    """Move every live sign-in into the past."""
    desk.execute(
        f"UPDATE sign_in SET {column} = {column} - :by WHERE ended_at IS NULL",
        by=int(hours * 3600 * 1000),
    )


class TestTimeOuts:
    """A sign-in that has lasted too long ends at the next click, whatever is open."""

    def test_without_a_click(self, desk, signed_in):
        """The sentence, and back to the page after a new sign-in."""
        step("31 minutes later: a click")
        grow_old(desk, "last_seen_at", 31 / 60)
        signed_in.button("Select page").click()
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("after 30 minutes without a click")).to_be_visible()
        signed_in.picture("sign-in-timed-out-1280-light")
        step("a reload changes nothing")
        signed_in.page.reload()
        signed_in.settle()
        asks_to_sign_in(signed_in)
        sign_in(signed_in, "mhale")
        signed_in.heading("Recipient API Tokens")
        sign_out(signed_in)

    def test_altogether(self, desk, signed_in):
        """Twelve hours, whatever the clicks."""
        step("12 hours later: a click")
        grow_old(desk, "signed_in_at", 12)
        signed_in.button("Select page").click()
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("a sign-in lasts 12 hours")).to_be_visible()

    @pytest.mark.parametrize("action", ["Request New API Token", "Generate & Export Token"])
    def test_with_a_confirmation_open(self, desk, signed_in, action):
        """The confirming click does nothing: dialogs run before the page asks who is in."""
        count = "SELECT count(*) FROM operation"
        before = desk.execute(count)
        signed_in.search("blowe")
        signed_in.tick([0])
        signed_in.pick("Actions", action)
        button = "Confirm"
        if action.startswith("Generate"):
            signed_in.type_to_confirm(1)
            button = re.compile("download CSV")
        step(f"{action}: the dialog is open, 31 minutes pass, and somebody clicks")
        grow_old(desk, "last_seen_at", 31 / 60)
        signed_in.page.get_by_role("button", name=button).click()
        asks_to_sign_in(signed_in)
        assert desk.execute(count) == before


class TestForgers:
    """Who comes with a header, an origin or no browser at all."""

    def test_an_identity_header_does_nothing_here(self, desk):
        """Only in proxy mode is there such a header."""
        step("a forged X-Forwarded-User, where people sign in at a provider")
        told = first_page(desk.address, [("X-Forwarded-User", "mhale")])
        assert "Sign in to Token Desk" in told
        assert "Morgan Hale" not in told

    def test_nothing_of_the_directory_is_sent_before(self, desk):
        """Neither organizations nor services nor people."""
        told = first_page(desk.address, [], "license")
        assert "Sign in to Token Desk" in told
        for word in ("eRecording", "Juniper", "UTCJF1", "mhale"):
            assert word not in told

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example.com", "http://localhost:1", "null", None],
        ids=["another site", "another port", "null", "none"],
    )
    def test_a_foreign_origin_is_refused(self, desk, origin):
        """Before the WebSocket is open."""
        step(f"a WebSocket with the Origin {origin}")
        with pytest.raises(InvalidStatus) as caught, stream(desk.address, origin):
            pass
        assert caught.value.response.status_code == 403

    def test_our_own_origin_is_not(self, desk):
        """The same WebSocket, from our own page."""
        with stream(desk.address, desk.address) as socket_:
            assert socket_.subprotocol == "streamlit"


class Proxy:
    """A sign-in proxy on this machine: it names everybody who comes through it."""

    def __init__(self, to: str, lines: bytes) -> None:
        """Pass on to `to`, with these header lines in each request."""
        self._to = ("localhost", int(to.rsplit(":", 1)[1]))
        self._lines = lines
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = client.recv(65536)
            if not chunk:
                return
            head += chunk
        first, rest = head.split(b"\r\n", 1)
        if b"upgrade: websocket" not in rest.lower():
            rest = re.sub(rb"(?i)connection: [^\r]*\r\n", b"", rest)
            rest = b"Connection: close\r\n" + rest
        server = socket.create_connection(self._to)
        server.sendall(first + b"\r\n" + self._lines + rest)
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        _pump(server, client)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one side ends."""
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    finally:
        sink.close()


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


class TestProxy:
    """A proxy on this machine names the person."""

    def test_with_its_header(self, proxied, through, new_tab):
        """In, with a role; no sign-out of ours; recorded once."""
        tab = new_tab(through(b"X-Forwarded-User: mhale\r\nX-Forwarded-For: 203.0.113.7\r\n"))
        step("through the proxy, which names mhale")
        tab.open(TOKENS)
        tab.heading("Recipient API Tokens")
        expect(tab.page.get_by_text("API administrator", exact=True)).to_be_visible()
        expect(tab.button("Sign out")).to_have_count(0)
        tab.menu("Notifications")
        statement = "SELECT action, address FROM audit_event WHERE actor = 'mhale'"
        assert proxied.execute(statement) == [("sign-in", "203.0.113.7")]

    @pytest.mark.parametrize(
        "lines",
        [
            b"",
            b"X-Forwarded-User:\r\n",
            b"X-Forwarded-User: mhale\r\nX-Forwarded-User: mhale\r\n",
        ],
        ids=["none", "empty", "two"],
    )
    def test_without_exactly_one_name(self, through, new_tab, lines):
        """It says so, and shows nothing."""
        tab = new_tab(through(lines))
        step(f"through a proxy that adds {lines!r}")
        tab.open(TOKENS)
        tab.heading("You are not signed in")
        expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)

    @pytest.mark.parametrize(
        ("name", "heading"),
        [
            ("nobody", "Token Desk does not know you yet"),
            ("mhale, mhale", "Token Desk does not know you yet"),
            ("tokeefe", "Your account is inactive"),
        ],
    )
    def test_whom_the_directory_does_not_know(self, proxied, through, new_tab, name, heading):
        """Told kindly, and recorded once a browser session."""
        tab = new_tab(through(f"X-Forwarded-User: {name}\r\n".encode()))
        step(f"through a proxy that names {name}")
        tab.open("organizations")
        tab.heading(heading)
        tab.page.keyboard.press("r")  # runs the page again
        tab.heading(heading)
        assert [action for action, _ in events(proxied, name)] == ["refusal"]
