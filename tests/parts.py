"""Runs lint, types and the two parts of the tests beside each other: what `sh tests/run` ends in.

What they print comes in order, one part after the other. Every process of a run has the folder of
the run as TMPDIR: by that a run ends what its tests left, and what a killed run before it left.
$REPORTS is a folder for the reports (tests/reports.py).
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from tests import reports

_PREFIX = "desk-tests-"
_LOCK = "lock"
_MEMORY = Path("/dev/shm")  # noqa: S108 - only folders that mkdtemp has made are used
_ROOM = 4_000_000_000  # bytes: twice of what a run has needed
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: What ends a part when this process is killed (Linux): pytest then ends what it started.
_TIED = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []


class Part(NamedTuple):
    """A running part, and the file of what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the command of each part, with its report in `folder`."""
    programs = Path(sys.executable).parent
    pytest = [sys.executable, "-m", "pytest"]
    tests = {"browser": "browser and not soak", "rest": "not browser and not soak"}
    return {
        "ruff": [f"{programs / 'ruff'}", "check", "."],
        "ruff format": [f"{programs / 'ruff'}", "format", "--check", "."],
        "mypy": ["nice", f"{programs / 'mypy'}"],  # it has time until the tests are through
        # A browser keeps one core busy, and everything else another one.
        **{
            name: [*pytest, "-m", marks, f"--junitxml={folder / name}.xml"]
            for name, marks in tests.items()
        },
    }


def run(parts: Mapping[str, list[str]], folder: Path) -> list[str]:
    """Run commands beside each other, in a run's folder; return the names of those that failed."""
    running: list[Part] = []
    try:
        for name, command in parts.items():
            running.append(_start(name, command, folder))
        return [part.name for part in running if _follow(part) != 0]
    finally:
        _on_endings(signal.SIG_IGN)  # what follows takes seconds
        _stop(running)
        reports.print_part("Left behind, and ended now", _end_processes(folder))


def _start(name: str, command: list[str], folder: Path) -> Part:
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*_TIED, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},
            start_new_session=True,  # a Ctrl-C is for this process, which passes it on once
        )
    return Part(name, process, log)


def _follow(part: Part) -> int:
    """Print what a part prints until it ends; return its exit status."""
    print(f"\n=== {part.name}", flush=True)
    with part.log.open("rb") as log:
        while True:
            status = part.process.poll()
            sys.stdout.buffer.write(log.read())
            sys.stdout.flush()
            if status is not None:
                return status
            time.sleep(0.1)  # between two looks


def _stop(running: list[Part]) -> None:
    """Interrupt the parts that run, and give them time to end what they started."""
    for part in running:
        if part.process.poll() is None:
            part.process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + 30
    for part in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            part.process.wait(max(0, deadline - time.monotonic()))


def _end_processes(folder: Path) -> list[str]:
    """End every process of the run in `folder`; return their command lines."""
    found = [process for process in psutil.process_iter() if _belongs(process, folder)]
    names = [_command_line(process) for process in found]
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in found:
            with contextlib.suppress(psutil.Error):
                end(process)
        _, found = psutil.wait_procs(found, timeout=5)
    return names


def _belongs(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.environ().get("TMPDIR") == str(folder)
    return False


def _command_line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return f"  {' '.join(process.cmdline())[:200]}"
    return f"  {process.pid}"


def use_memory() -> None:
    """Make the folders of runs in memory if it has room, unless $TMPDIR names another place.

    Every test with a database writes. A busy disk has made a folder of tests four times as slow.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    memory = os.statvfs(_MEMORY)
    runs_programs = not memory.f_flag & os.ST_NOEXEC  # some tests write a script and run it
    if runs_programs and memory.f_bavail * memory.f_frsize > _ROOM:
        tempfile.tempdir = str(_MEMORY)


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Make the folder of a run, which has a lock for as long as the run lives; remove it."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def end_killed_runs() -> None:
    """End what killed runs left: their processes, and their folders, on which nobody has a lock."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left = _end_processes(lock.parent)
            reports.print_part("Left behind by a killed run, and ended now", left)
            shutil.rmtree(lock.parent, ignore_errors=True)


def _on_endings(handler: Callable[[int, object], None] | signal.Handlers) -> None:
    """Set what happens at a Ctrl-C and the like; `nohup` keeps what it has set."""
    for ending in _ENDINGS:
        if ending != signal.SIGHUP or signal.getsignal(ending) != signal.SIG_IGN:
            signal.signal(ending, handler)


def _exit(ending: int, _: object) -> None:
    """End the run as an error does, so that nothing is left."""
    sys.exit(128 + ending)


def main(commands_of: Callable[[Path], Mapping[str, list[str]]] = commands) -> int:
    """Run everything, print what it took and what failed, and return the exit status."""
    began = time.monotonic()
    _on_endings(_exit)
    use_memory()
    end_killed_runs()
    with run_folder() as folder:
        kept = reports.emptied(Path(os.environ.get("REPORTS") or folder))
        failed = run(commands_of(kept), folder)
        (kept / reports.FAILED_PARTS).write_text("".join(f"{name}\n" for name in failed))
        reports.end_of_run(kept)
    print(f"Took {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
