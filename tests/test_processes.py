"""What tests of real servers share."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import free_port
from tests.support.servers import ROOT

DRAW = (
    "from tests.support.processes import free_port;"
    "print(*[free_port() for _ in range(300)]); input()"
)


def draw() -> subprocess.Popen[str]:
    """Start another process that draws 300 ports, as two runs of the tests beside each other do."""
    command = [sys.executable, "-c", DRAW]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


class TestFreePort:
    """A port that a server will listen on, some seconds after it was drawn."""

    def test_processes_beside_each_other_never_draw_the_same(self):
        """Also where no server listens on it yet."""
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(draw()) for _ in range(2)]
            drawn = [port for other in others for port in other.stdout.readline().split()]
            for other in others:
                other.stdin.write("\n")
        assert len(drawn) == len(set(drawn)) == 600

    def test_the_system_gives_it_to_nobody(self):
        """A connection, or a server that asks for any port, gets one of the system's own range."""
        file = Path("/proc/sys/net/ipv4/ip_local_port_range")
        low, high = map(int, file.read_text().split()) if file.exists() else (49152, 65535)
        assert free_port() not in range(low, high + 1)

    def test_a_server_can_listen_on_it(self):
        """It is kept from other tests, not from the server."""
        with socket.create_server(("127.0.0.1", free_port())):
            pass

    def test_one_in_use_is_not_drawn(self, monkeypatch):
        """Whoever listens on it, and on whichever address of this machine."""
        with socket.create_server(("", 0)) as listening:
            port = listening.getsockname()[1]
            monkeypatch.setattr(processes, "_PORTS", range(port, port + 1))
            with pytest.raises(AssertionError, match="no free port"):
                free_port()
