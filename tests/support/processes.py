"""Helpers for tests of real servers: a free port, and waiting for a condition."""

import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

#: Below the ports that systems give to connections, so that none takes one before its server does.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port on which nobody listens, and which no other test of this run gets."""
    for _ in range(1_000):
        port = secrets.choice(_PORTS)
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            held.close()
        else:
            # Open until this process ends: no other test draws the port, and a TCP server gets it.
            held.detach()
            return port
    msg = f"no free port was found in {_PORTS}"
    raise AssertionError(msg)


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server responds with any status. If it ends instead, fail with its output."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own
                return
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return
        except OSError:
            time.sleep(0.05)  # between two looks at the condition, not instead of it
    msg = f"{address} did not start:\n{log.read_text()}"
    raise AssertionError(msg)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at the condition
