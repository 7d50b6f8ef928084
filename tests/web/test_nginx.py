"""A real nginx with the configuration that README shows, in front of a small API."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from lib.domain import clock
from lib.domain.states import Action
from lib.operations.actions import carry_out, plan_action
from lib.operations.opening import open_store
from tests.directory import ADMIN, MINTING, ORG, SERVICE, build, by, ledger
from tests.operations.acting import exported, select
from tests.processes import free_port, wait_for
from tests.web.serving import ROOT, serving

CONFIGURATION = ROOT / "data" / "nginx-verify.conf"
MAIN = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/nginx-verify.conf;
}}
"""


class Echo(BaseHTTPRequestHandler):
    """An API that answers with the headers that it was asked with."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer with what was sent."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500)  # its own fault passes as it is
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def api() -> Iterator[int]:
    """The port of the small API."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def nginx(folder: Path, token_desk: str, api: int) -> Iterator[str]:
    """Run nginx with README's file, whose three ports alone are changed; yield its address."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "this test needs nginx: sh tests/run installs it"
    port = free_port()
    text = CONFIGURATION.read_text()
    for written, meant in (
        ("127.0.0.1:8600", token_desk.removeprefix("http://")),
        ("127.0.0.1:8700", f"127.0.0.1:{api}"),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
    ):
        assert text.count(written) == 1
        text = text.replace(written, meant)
    (folder / "nginx-verify.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    process = subprocess.Popen([program, "-c", folder / "nginx.conf", "-p", folder])
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert process.poll() is None, (folder / "error.log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)  # between two looks at the condition
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def engine(tmp_path):
    """A database with five users."""
    engine = open_store(f"sqlite:///{tmp_path / 'desk.db'}")
    build(engine, 5)
    yield engine
    engine.dispose()


@pytest.fixture
def gateway(engine, tmp_path, api) -> Iterator[httpx2.Client]:
    """A client of nginx, which asks our process, as README has both."""
    settings = {"TOKEN_DESK_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        serving(str(engine.url), tmp_path, "--no-proxy-headers", **settings) as running,
        nginx(tmp_path, running.address, api) as address,
        httpx2.Client(base_url=address) as client,
    ):
        yield client


def bearer(token: str) -> dict[str, str]:
    """Return the header."""
    return {"authorization": f"Bearer {token}"}


def act(engine, action: Action):
    """Do it to everybody, now."""
    ids = [row[0] for row in select(engine, "SELECT member_id FROM member")]
    plan = plan_action(ledger(engine, clock.now), ADMIN, action, ORG, SERVICE, ids)
    return carry_out(ledger(engine, clock.now), by(plan), plan, MINTING)


class TestGateway:
    """From an exported CSV to the API and back."""

    def test_a_tokens_life(self, gateway, engine):
        """200 with a token from the CSV, a check mark afterwards; 401 within a second of Remove."""
        tokens = exported(act(engine, Action.GENERATE))
        for token in tokens:
            answer = gateway.get("/packages", headers=bearer(token))
            assert answer.status_code == 200
            told = answer.json()
            assert told["x-organization-id"] == ORG
            assert told["x-token-username"].startswith("utcjf1-u")
            assert "authorization" not in told
        accepted = "SELECT count(*) FROM token WHERE state = 'accepted'"
        wait_for(lambda: select(engine, accepted) == [(5,)], 2)
        act(engine, Action.REMOVE)
        removed = time.monotonic()
        for token in tokens:
            answer = gateway.get("/packages", headers=bearer(token))
            assert answer.status_code == 401
            challenge = 'Bearer realm="token-desk", error="invalid_token"'
            assert answer.headers["www-authenticate"] == challenge
        assert time.monotonic() - removed < 1

    def test_without_a_token(self, gateway):
        """The challenge alone."""
        answer = gateway.get("/packages")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="token-desk"'

    def test_a_client_who_writes_our_headers(self, gateway, engine):
        """The API gets what Token Desk says, not what the client does."""
        (token, *_) = exported(act(engine, Action.GENERATE))
        ours = ("x-token-username", "x-organization-id", "x-token-service")
        honest = gateway.get("/packages", headers=bearer(token)).json()
        forged = gateway.get("/packages", headers=bearer(token) | dict.fromkeys(ours, "root"))
        assert [forged.json()[name] for name in ours] == [honest[name] for name in ours]
        assert honest["x-token-service"] == SERVICE

    def test_a_body_goes_to_the_api_alone(self, gateway, engine):
        """And the API's own faults come back as they are."""
        token = exported(act(engine, Action.GENERATE))[0]
        answer = gateway.post("/packages", headers=bearer(token), content=b"x" * 100_000)
        assert (answer.status_code, answer.content) == (500, b"x" * 100_000)

    def test_a_client_who_guesses(self, gateway, engine):
        """Gets 429, and shuts nobody else out: nginx says whose request it is."""
        token = exported(act(engine, Action.GENERATE))[0]
        assert {gateway.get("/", headers=bearer("x")).status_code for _ in range(1_000)} == {401}
        answer = gateway.get("/", headers=bearer(token) | {"x-forwarded-for": "192.0.2.9"})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        other = httpx2.HTTPTransport(local_address="127.0.0.2")
        with httpx2.Client(base_url=gateway.base_url, transport=other) as client:
            assert client.get("/", headers=bearer(token)).status_code == 200

    def test_no_answer(self, tmp_path, api):
        """503, never a yes."""
        with (
            nginx(tmp_path, "http://127.0.0.1:9", api) as address,
            httpx2.Client(base_url=address) as client,
        ):
            assert client.get("/", headers=bearer("x")).status_code == 503
