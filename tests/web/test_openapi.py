"""The description is true: schemathesis sends requests by it to the running server."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.domain.states import Holding
from lib.operations.database import open_database
from lib.web import api_endpoints
from lib.web.openapi import DOCUMENT
from tests.support.actions import give
from tests.support.directory import SERVICE, build
from tests.support.http import FORM, api_client, basic, client_of, credential
from tests.support.servers import Serving, serving
from tests.web.conftest import OTHER_SERVICE


class Known(NamedTuple):
    """A good token and a service's credential in the database."""

    token: str
    secret: tuple[str, str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the database."""
    return tmp_path_factory.mktemp("openapi")


@pytest.fixture(scope="module")
def known(folder: Path) -> Known:
    """Three users, one of whom has a token."""
    engine = open_database(f"sqlite:///{folder / 'desk.db'}")
    ids = build(engine, 3, services=(SERVICE, OTHER_SERVICE))
    (token,) = give(engine, ids[0], Holding.ACCEPTED)
    secret = credential(engine)
    engine.dispose()
    return Known(token, secret)


@pytest.fixture(scope="module")
def secret(known: Known) -> tuple[str, str]:
    """The credential."""
    return known.secret


@pytest.fixture(scope="module")
def server(folder: Path, known: Known) -> Iterator[Serving]:
    """The running process."""
    assert known
    with serving(f"sqlite:///{folder / 'desk.db'}", folder, "--no-access-log") as running:
        yield running


class TestDocument:
    """The document itself."""

    def test_the_document_has_every_route(self):
        """Except the one for unknown paths."""
        routes = api_endpoints.routes(api_endpoints.LazyApi(lambda: pytest.fail("opened")))
        paths = {route.path.replace("{rest:any}", "{rest}") for route in routes}
        assert set(DOCUMENT["paths"]) == paths - {"/api/v1/{rest}"}

    def test_the_document_is_served_without_a_database(self):
        """And without credentials."""
        client = client_of(lambda: pytest.fail("opened"))
        assert client.get("/api/v1/openapi.json").json() == DOCUMENT


_CONFIGURATION = """
[auth.openapi.service]
username = "{0}"
password = "{1}"
[auth.openapi.token]
bearer = "{2}"
"""


def run_schemathesis(
    server: Serving, known: Known, examples: int, folder: Path, *options: str
) -> str:
    """Send `examples` requests for each operation and phase. Return the report."""
    configuration = _CONFIGURATION.format(*known.secret, known.token)
    (folder / "schemathesis.toml").write_text(configuration)
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{server.address}/api/v1/openapi.json",
        f"--max-examples={examples}",
        "--checks=all",
        "--exclude-checks=unsupported_method",  # verify knows more than OpenAPI can name, as QUERY
        *options,
        "--phases=examples,coverage,fuzzing",
        "--seed=1",
        "--no-color",
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=3_000, check=False)
    report = run.stdout.decode()
    print(report)  # `pytest -s` shows it
    assert run.returncode == 0, report[-6_000:]
    assert re.search(r"(\d+) generated, \1 passed", report), report[-6_000:]
    return report


class TestSchemathesis:
    """Every response is as the document says."""

    def test_responses_match_the_document(self, server, known, tmp_path):
        """Good and bad headers, forms, methods and content types."""
        by_one_method = "--exclude-operation-id-regex=(behind|of_service)_(?!get$)"
        report = run_schemathesis(server, known, 20, tmp_path, by_one_method)
        assert "Authentication failed" not in report

    @pytest.mark.soak
    def test_responses_match_the_document_in_many_examples(self, server, known, tmp_path):
        """The same with more requests."""
        run_schemathesis(server, known, 1_000, tmp_path)


_TOKEN_CHARS = st.characters(codec="latin-1", exclude_characters="\r\n\0")
HEADERS = st.dictionaries(
    st.sampled_from(
        ["authorization", "api_token", "content-type", "content-length", "x-forwarded-for",
         "transfer-encoding", "accept", "host", "expect", "connection"]
    ),
    st.one_of(
        st.text(_TOKEN_CHARS, max_size=80),
        st.sampled_from([FORM, "Bearer ", "Basic ", "Bearer demo_x", "chunked", "0", "7", "close"]),
        st.binary(max_size=40).map(lambda raw: "Basic " + raw.hex()),
    ),
    max_size=6,
)  # fmt: skip
PATHS = st.one_of(
    st.sampled_from([*DOCUMENT["paths"], "/api/v1/verify/x", "/api/v1/", "/api/v1/x"]),
    st.text(_TOKEN_CHARS, max_size=30).map(lambda rest: f"/api/v1/{rest}"),
)
QUERIES = st.text(_TOKEN_CHARS, max_size=30)
METHODS = st.sampled_from(
    ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "X", "get"]
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=60).map(lambda value: b"token=" + value.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"token=x", b"token=%00", b"token=%ff", b"token=a&token=b", b"x" * 70_000]),
)


def raw_request(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> bytes:
    """Return the bytes of one request, valid or not."""
    target = f"{path}?{query}" if query else path
    lines = [f"{method} {target} HTTP/1.1", "connection: close"]
    lines += [f"{name}: {value}" for name, value in {"host": "x", **headers}.items()]
    if not {"content-length", "transfer-encoding"} & set(headers):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status_of(address: str, request: bytes) -> int:
    """Send a request and return the status of the response; 0 when there is none."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(request)
            received = connection.recv(64)
        except ConnectionError:  # it was refused while it was still being sent
            return 0
    return int(received.split(b" ")[1]) if received.startswith(b"HTTP/1.1 ") else 0


class TestRawRequests:
    """Any bytes over a socket get no 500."""

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(METHODS, PATHS, QUERIES, HEADERS, BODIES, st.booleans())
    def test_any_raw_request_gets_no_500(
        self, server, secret, method, path, query, headers, body, signed
    ):
        """Half of them have a service's credentials."""
        self._ask(server, secret, (method, path, query, headers, body), signed=signed)

    @pytest.mark.soak
    @settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
    @given(METHODS, PATHS, QUERIES, HEADERS, BODIES, st.booleans())
    def test_ten_thousand_raw_requests_get_no_500(
        self, server, secret, method, path, query, headers, body, signed
    ):
        """The same with more requests."""
        self._ask(server, secret, (method, path, query, headers, body), signed=signed)

    def _ask(self, server, secret, parts, *, signed) -> None:
        method, path, query, headers, body = parts
        if signed:
            headers = headers | basic(*secret) | {"content-type": FORM}
        status = status_of(server.address, raw_request(method, path, query, headers, body))
        assert status < 500
        assert server.process.poll() is None

    def test_the_log_has_no_error_after_all_requests(self, server):
        """Of this file."""
        log = server.log.read_text()
        print(log[max(0, log.find("Traceback") - 1_000) :][:5_000])  # pytest shows it on failure
        assert "Traceback" not in log

    def test_ten_megabytes_are_refused_while_they_are_sent(self, server, secret):
        """With 413."""
        headers = basic(*secret) | {"content-type": FORM}
        request = raw_request("POST", "/api/v1/introspect", "", headers, b"x" * 10_000_000)
        assert status_of(server.address, request) in {413, 0}
        headers |= {"content-length": "10000000"}
        request = raw_request("POST", "/api/v1/introspect", "", headers, b"")
        assert status_of(server.address, request) == 413

    @pytest.mark.parametrize("length", [10_000, 10_000_000])
    def test_a_long_token_is_refused_at_verify(self, server, length):
        """By us, or by the server before it has all of it."""
        headers = {"authorization": f"Bearer demo_{'x' * length}"}
        request = raw_request("GET", "/api/v1/verify", "", headers, b"")
        assert status_of(server.address, request) in ({401} if length == 10_000 else {400, 431, 0})
        assert server.process.poll() is None


def test_the_test_client_has_the_routes_of_the_server(one_engine) -> None:
    """Both are made by the same function."""
    assert api_client(one_engine).client.get("/api/v1/openapi.json").json() == DOCUMENT
