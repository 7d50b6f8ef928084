"""A run ends everything that it started, however it ends itself."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests import parts
from tests.support.processes import wait_for
from tests.test_imports import ROOT

RUN = "import json, sys; from tests import parts; sys.exit(parts.main(lambda _: json.loads({!r})))"
#: Starts a process in a session of its own, as PostgreSQL is, and writes its id.
LEAVE = """
import subprocess, sys, time
from pathlib import Path
left = subprocess.Popen(["sleep", "1000"], start_new_session=True)
Path(sys.argv[1], "left").write_text(str(left.pid))
"""
#: Does that, and runs until it is interrupted, as pytest does.
STAY = f"""{LEAVE}
try:
    time.sleep(1000)
except KeyboardInterrupt:
    Path(sys.argv[1], "interrupted").touch()
"""


@contextlib.contextmanager
def run(folder: Path, **parts: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a run of these commands with its folders below `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN.format(json.dumps(parts))],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "REPORTS"} | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def finished(folder: Path, **parts: list[str]) -> tuple[int, str]:
    """Run these commands to their end; return the exit status, and what was printed."""
    with run(folder, **parts) as process:
        printed, _ = process.communicate(timeout=60)
    return process.returncode, printed


def code(source: str, *arguments: Path) -> list[str]:
    """Return the command that runs Python code."""
    return [sys.executable, "-c", source, *map(str, arguments)]


def left_by(part: Path) -> int:
    """Wait for the process that a part starts beside itself; return its id."""
    file = part / "left"
    wait_for(lambda: file.exists() and file.read_text() != "", 30)
    return int(file.read_text())


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that has ended may wait for its parent."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def has_ended(pid: int) -> bool:
    """Tell whether a process has ended."""
    return not is_running(pid)


@pytest.fixture
def part(tmp_path) -> Iterator[Path]:
    """The folder in which a part writes; what it left is ended after a test that failed."""
    folder = tmp_path / "part"
    folder.mkdir()
    yield folder
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((folder / "left").read_text()), signal.SIGKILL)


@pytest.fixture
def folders(tmp_path) -> Path:
    """Where runs make their folders."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


class TestRun:
    """Parts beside each other."""

    def test_what_they_print_comes_part_by_part(self, folders):
        """Though the second one was through first."""
        one = ["sh", "-c", f"echo a; until [ -e {folders / 'two'} ]; do sleep 0.05; done; echo b"]
        two = ["sh", "-c", f"echo c; touch {folders / 'two'}"]
        status, printed = finished(folders, one=one, two=two)
        assert printed.split()[:8] == ["===", "one", "a", "b", "===", "two", "c", "0"]
        assert status == 0

    def test_when_one_fails_the_run_fails_and_names_it(self, folders):
        """The others run to their end."""
        status, printed = finished(folders, mypy=["false"], rest=["echo", "through"])
        assert (status, "\nthrough\n" in printed) == (1, True)
        assert "Failed:\n  mypy\n" in printed

    def test_what_a_part_leaves_is_ended_and_named(self, folders, part):
        """As a database after a test that was killed."""
        status, printed = finished(folders, rest=code(LEAVE, part))
        assert has_ended(left_by(part))
        assert (status, "Left behind, and ended now:\n  sleep 1000\n" in printed) == (0, True)
        assert list(folders.iterdir()) == []


class TestStopped:
    """A run that does not come to its end."""

    @pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP])
    def test_when_it_is_asked_to_stop_it_leaves_nothing(self, folders, part, ending):
        """A Ctrl-C, or a terminal that is closed: the parts are interrupted, and end."""
        with run(folders, rest=code(STAY, part)) as process:
            left = left_by(part)
            process.send_signal(ending)
            assert process.wait(timeout=60) == 128 + ending
        assert (part / "interrupted").exists()
        assert has_ended(left)
        assert list(folders.iterdir()) == []

    def test_when_it_was_killed_the_next_run_ends_what_it_left(self, folders, part):
        """Its processes and its folder, and says so."""
        with run(folders, rest=code(STAY, part)) as process:
            left = left_by(part)
            process.kill()
        if shutil.which("setpriv"):  # so its parts take no time from the next run
            wait_for((part / "interrupted").exists, 30)
        assert is_running(left)
        _, printed = finished(folders, rest=["true"])
        wait_for(partial(has_ended, left), 30)
        assert "Left behind by a killed run, and ended now:\n  sleep 1000\n" in printed
        assert list(folders.iterdir()) == []

    def test_a_run_beside_it_is_left_alone(self, folders, part):
        """Two checkouts on one machine."""
        with run(folders, rest=code(STAY, part)) as process:
            left = left_by(part)
            _, printed = finished(folders, rest=["true"])
            assert "Left behind" not in printed
            assert (process.poll(), is_running(left)) == (None, True)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


class TestPlace:
    """Where a run makes its folder."""

    @pytest.mark.parametrize(
        ("room", "flag", "named", "in_memory"),
        [
            (0, 0, False, True),
            (10**18, 0, False, False),
            (0, os.ST_NOEXEC, False, False),
            (0, 0, True, False),
        ],
        ids=["room", "no room", "no programs", "TMPDIR"],
    )
    def test_it_is_memory_if_that_has_room_and_tmpdir_names_no_other(
        self, monkeypatch, tmp_path, room, flag, named, in_memory
    ):
        """A test may need to run a program that it has written."""
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(parts, "_MEMORY", tmp_path)
        monkeypatch.setattr(parts, "_ROOM", room)
        found = SimpleNamespace(f_flag=flag, f_bavail=1, f_frsize=4_096)
        monkeypatch.setattr(os, "statvfs", lambda _: found)
        monkeypatch.delenv("TMPDIR", raising=False)
        if named:
            monkeypatch.setenv("TMPDIR", str(tmp_path.parent))
        parts.use_memory()
        assert (tempfile.gettempdir() == str(tmp_path)) is in_memory
