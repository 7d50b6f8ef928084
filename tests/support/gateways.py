"""Real gateways, run with the samples of data/ in front of a small API: nginx, Envoy, Caddy."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from tests.support.http import bearer
from tests.support.processes import free_port, wait_for
from tests.support.servers import ROOT

DATA = ROOT / "data"
NO_PREFIX = ""
#: Addresses of Token Desk as somebody mistypes them in a gateway's configuration.
WRONG = ("/verify", "/v1/verify", "/desk/api/v1/verify", "/API/V1/verify", "/api/v1/verifyy")
#: Where a page of the dashboard answers everybody, and where the client says what is asked.
NO_ADDRESS = ("/", NO_PREFIX)

_BIN = Path(sys.executable).parent  # where the wheels of Envoy and Caddy have their programs
_NGINX = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {sample};
}}
"""


@dataclass
class SmallApi:
    """The API behind a gateway. It returns the headers that it got, and records the paths."""

    reached: list[str] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def serving(self) -> Iterator["SmallApi"]:
        """Serve on a free port."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Echo, self.reached))
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, reached: list[str], *server: Any) -> None:
        self._reached = reached
        super().__init__(*server)

    def do_GET(self) -> None:
        """Respond with names and values of the headers."""
        self._answer(200, json.dumps(self.headers.items()).encode())

    do_OPTIONS = do_GET  # noqa: N815 - http.server's name

    def do_POST(self) -> None:
        """Respond with the body, as an error of the API itself."""
        self._answer(500, self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, status: int, body: bytes) -> None:
        self._reached.append(self.path)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@dataclass(frozen=True)
class Gateway:
    """A gateway's sample, and what a test changes in it: ports, and Token Desk's address.

    A test runs the sample's site once for each address; `site` says where it begins and ends.
    """

    sample: str
    #: At which address it asks Token Desk, and what stands there when it asks what its client does.
    own: str
    no_prefix: str
    #: The text with a port of Token Desk, of the API, and of the gateway itself.
    token_desk: str
    api: str
    listen: tuple[str, str]
    site: tuple[str, str]
    command: Callable[[Path, Path], list[str]]
    #: What else a test writes into it.
    changes: tuple[tuple[str, str], ...] = ()

    def configuration(self, token_desk: int, api: int, ports: Mapping[str, int]) -> str:
        """Return the sample, with a site for each address."""
        text = (DATA / self.sample).read_text()
        for written, meant in (
            (self.token_desk.format(8600), self.token_desk.format(token_desk)),
            (self.api.format(8700), self.api.format(api)),
            *self.changes,
        ):
            text = _replaced(text, written, meant)
        begin, end = self.site
        head, _, rest = text.partition(begin)
        site, end, tail = rest.partition(end) if end else (rest, "", "")
        written, meant = self.listen
        sites = (
            begin
            + _replaced(
                _replaced(site, written, meant.format(port)),
                self.own,
                address or self.no_prefix,
            )
            for address, port in ports.items()
        )
        return f"{head}{''.join(sites)}{end}{tail}"

    @contextlib.contextmanager
    def running(
        self, folder: Path, token_desk: str, api: int, *addresses: str
    ) -> Iterator[dict[str, str]]:
        """Run the sample with its own address, and with each of `addresses`.

        `token_desk` is its URL, such as `http://127.0.0.1:8600`. `api` is the small API's
        port. Yields the gateway's URL for each address.
        """
        folder.mkdir()
        ports = {address: free_port() for address in (self.own, *addresses)}
        file, log = folder / self.sample, folder / "log"
        file.write_text(self.configuration(int(token_desk.rpartition(":")[2]), api, ports))
        # Caddy's data and its endpoint for administration.
        home = {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        environment = {**os.environ, **home, "CADDY_ADMIN": f"unix/{folder}/admin"}
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.command(folder, file), env=environment, stdout=out, stderr=out
            )
        try:
            for port in ports.values():
                wait_for(partial(_listens, process, port, log), 30)
            yield {address: f"http://127.0.0.1:{port}" for address, port in ports.items()}
        finally:
            process.terminate()
            process.wait(timeout=20)


def _replaced(text: str, written: str, meant: str) -> str:
    """Return `text` with `meant` instead of `written`, which must be there once."""
    assert text.count(written) == 1, written
    return text.replace(written, meant)


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _nginx(folder: Path, file: Path) -> list[str]:
    """Return the command. nginx needs the sample inside `http`."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "this test needs nginx: sh tests/run installs it"
    main = folder / "nginx.conf"
    main.write_text(_NGINX.format(folder=folder, sample=file))
    return [program, "-c", f"{main}", "-p", f"{folder}", "-e", "stderr"]


def _envoy(_folder: Path, file: Path) -> list[str]:
    quiet = ["--log-level", "warning", "--disable-hot-restart", "--concurrency", "1"]
    return [f"{_BIN / 'envoy'}", "-c", f"{file}", *quiet]


def _caddy(_folder: Path, file: Path) -> list[str]:
    return [f"{_BIN / 'caddy'}", "run", "--config", f"{file}", "--adapter", "caddyfile"]


NGINX = Gateway(
    sample="nginx-verify.conf",
    own="/api/v1/services/erecording/verify",
    no_prefix="",
    token_desk="server 127.0.0.1:{};",  # noqa: S106 - an address
    api="server 127.0.0.1:{};",
    listen=("listen 8080;", "listen 127.0.0.1:{};"),
    site=("\nserver {", ""),
    command=_nginx,
)
NGINX_API_TOKEN = replace(NGINX, sample="nginx-verify-api-token.conf")
_LISTENER = "{}\n      address:\n        socket_address: {{ address: {}, port_value: {} }}"
ENVOY = Gateway(
    sample="envoy-verify.yaml",
    own="/api/v1/services/erecording/verify",
    no_prefix='""',
    token_desk="address: 127.0.0.1, port_value: {} ",  # noqa: S106 - an address
    api="address: 127.0.0.1, port_value: {} ",
    listen=(
        _LISTENER.format("api", "0.0.0.0", 8080),  # noqa: S104 - as it is written
        _LISTENER.format("api-{0}", "127.0.0.1", "{0}").replace("{ ", "{{ ").replace(" }", " }}"),
    ),
    site=("\n    - name: ", "\n  clusters:"),
    command=_envoy,
)
CADDY = Gateway(
    sample="Caddyfile",
    own="/api/v1/services/erecording/verify",
    no_prefix="{uri}",
    token_desk="forward_auth 127.0.0.1:{} ",  # noqa: S106 - an address
    api="reverse_proxy 127.0.0.1:{} ",
    listen=("8080 {", "{} {{\n\tbind 127.0.0.1"),
    site=("\n:", ""),
    command=_caddy,
)
#: By the name of each.
GATEWAYS = {"nginx": NGINX, "Envoy": ENVOY, "Caddy": CADDY}


class Row(NamedTuple):
    """Result for one address: statuses, and whether a request reached the API."""

    gateway: str
    address: str
    refused: set[int]
    leaked: bool
    good: int
    passed: bool


#: What is asked without a token, and with bad ones: behind Envoy the client's path is asked, too.
_TARGETS = ("/packages", "/packages?service=erecording", "//", "/a%2Fb%0A", "/API/V1/verify")


def ask_each(name: str, urls: Mapping[str, str], api: SmallApi, token: str) -> list[Row]:
    """Send requests to a gateway at each address, without a good token and with `token`."""
    rows = []
    for address, url in urls.items():
        with httpx2.Client(base_url=url) as client:
            api.reached.clear()
            refused = {
                client.get(target, headers=bearer(bad)).status_code
                for target in _TARGETS
                for bad in ("", f"{token[:-1]}!")
            }
            leaked = bool(api.reached)
            good = client.get("/packages", headers=bearer(token)).status_code
            passed = api.reached[-1:] == ["/packages"]
            rows.append(Row(name, address or "(no prefix)", refused, leaked, good, passed))
    return rows


def print_table(rows: Iterable[Row]) -> None:
    """Print the result of `ask_each`; `pytest -s` shows it."""
    print(f"\n{'gateway':8} {'asks at':38} {'no good token':>16}        {'good token':>10}")
    for row in rows:
        refused = ", ".join(map(str, sorted(row.refused)))
        print(
            f"{row.gateway:8} {row.address:38} {refused:>16} {_word(row.leaked)}"
            f" {row.good:10} {_word(row.passed)}"
        )


def _word(reached: bool) -> str:  # noqa: FBT001 - a word for it
    return "reached" if reached else "stopped"
