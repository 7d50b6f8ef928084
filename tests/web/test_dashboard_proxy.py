"""A real nginx in front of the dashboard, with the sample of data/ without its certificate."""

import contextlib
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.gateways import DATA, _listens, _nginx, _replaced
from tests.support.processes import free_port, wait_for
from tests.support.servers import ROOT, Serving, serving

SAMPLE = "nginx-dashboard.conf"
HTTP_HOST = "proxy_set_header Host $http_host;"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory) -> Iterator[Serving]:
    """A dashboard on a database of its own."""
    folder = tmp_path_factory.mktemp("dashboard")
    with serving(f"sqlite:///{folder / 'desk.db'}", folder, app="app:app") as running:
        yield running


@contextlib.contextmanager
def proxied(dashboard: Serving, folder: Path, *changes: tuple[str, str]) -> Iterator[str]:
    """Run nginx with the sample and `changes`. Yields the host and port of its address."""
    folder.mkdir()
    port = free_port()
    text = (DATA / SAMPLE).read_text()
    for written, meant in (
        ("server 127.0.0.1:8501;", f"server {dashboard.address.removeprefix('http://')};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("ssl_certificate /etc/ssl/certs/desk.pem;", ""),
        ("ssl_certificate_key /etc/ssl/private/desk.key;", ""),
        *changes,
    ):
        text = _replaced(text, written, meant)
    file, log = folder / SAMPLE, folder / "log"
    file.write_text(text)
    with log.open("wb") as out:
        process = subprocess.Popen(_nginx(folder, file), stdout=out, stderr=out)
    try:
        wait_for(partial(_listens, process, port, log), 30)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def open_socket(host: str):
    """Open the WebSocket of a page as a browser does."""
    return connect(
        f"ws://{host}/_stcore/stream", origin=f"http://{host}", subprotocols=["streamlit"]
    )


class TestSample:
    """The sample that people copy."""

    def test_pages_and_their_websocket_pass_with_large_cookies(self, dashboard, tmp_path):
        """24 kB, as a provider with many claims makes them."""
        cookies = {"cookie": "; ".join(f"c{n}={'x' * 4_000}" for n in range(6))}
        with proxied(dashboard, tmp_path / "run") as host:
            assert httpx2.get(f"http://{host}/organizations", headers=cookies).status_code == 200
            with open_socket(host) as websocket:
                assert websocket.subprotocol == "streamlit"

    def test_with_host_instead_of_http_host_the_log_says_what_to_change(self, dashboard, tmp_path):
        """`$host` has no port, so no page opens; the log has both values, once a minute."""
        change = (HTTP_HOST, HTTP_HOST.replace("$http_host", "$host"))
        before = len(dashboard.log.read_text())
        with proxied(dashboard, tmp_path / "run", change) as host:
            for _ in range(3):
                with pytest.raises(InvalidStatus) as caught, open_socket(host):
                    pass
                assert caught.value.response.status_code == 403
        log = dashboard.log.read_text()[before:]
        assert log.count("Refused a WebSocket") == 1
        for part in (f"'http://{host}'", "'localhost'", HTTP_HOST):
            assert part in log

    def test_the_sample_is_in_readme_and_ends_with_its_check(self):
        """The check is a `curl` that must get 200."""
        assert f"(data/{SAMPLE})" in (ROOT / "README.md").read_text()
        *_, words, command = (DATA / SAMPLE).read_text().splitlines()
        assert "must say 200" in words
        assert command.startswith("#   curl ")
