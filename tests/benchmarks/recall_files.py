"""Recall by command of 100 MB, and of a zip bomb: time and memory against their limits.

Run: `python -m tests.benchmarks.recall_files [bytes]`

Each file is searched by `python -m lib.cli recall` in a process of its own, on SQLite. The first
line, a file of one byte, is what a process takes without any search.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lib.domain.token_format import mint
from tests.support.made_tokens import candidates

SIZE = 100_000_000  # bytes
LIMIT = 30.0  # seconds for SIZE
LINE = b'192.0.2.7 - - "GET /documents?name=Deed%20of%20Trust HTTP/1.1" 200 "{\\"ok\\": 1}"\n'
CHUNK = 1_000_000


def write(path: Path, part: bytes, size: int, end: bytes = b"") -> None:
    """Write a file of `part`, repeated, and `end`."""
    with path.open("wb") as file:
        for _ in range(size // len(part)):
            file.write(part)
        file.write(end)


def bomb() -> bytes:
    """Return a zip archive of 1 MB with a file of 1 GB of zeros."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w") as entry,
    ):
        for _ in range(1_000):
            entry.write(bytes(1_000_000))
    return file.getvalue()


def files(folder: Path, size: int) -> Iterator[Path]:
    """Write the files, one at a time, and yield the path of each."""
    one = folder / "one byte"
    one.write_bytes(b"x")
    yield one
    lines = candidates(CHUNK // 52).encode()
    yield from _written(folder / "wrong checksums", lines, size)
    (unknown,) = mint(1, "demo")
    yield from _written(folder / "wrong checksums, one right", lines, size, unknown.encode())
    yield from _written(folder / "a log", LINE * (CHUNK // len(LINE)), size)
    yield from _written(folder / "random bytes", os.urandom(CHUNK), size)
    path = folder / "a zip bomb"
    path.write_bytes(bomb())
    yield path


def _written(path: Path, part: bytes, size: int, end: bytes = b"") -> Iterator[Path]:
    write(path, part, size, end)
    yield path
    path.unlink()


def search(path: Path, folder: Path) -> str:
    """Return a line with time, memory, exit status and output of one search."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lib.cli", "recall", str(path), "--yes"],
        env=os.environ | {"TOKEN_DESK_DATA": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process.stdout as pipe:
        output = pipe.read().decode().replace("\n", " | ")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (
        f"{path.name:28} {time.perf_counter() - begun:6.1f} s"
        f" ({usage.ru_utime + usage.ru_stime:5.1f} s of processor)"
        f" {usage.ru_maxrss / 1024:6.0f} MB, exit {process.returncode}: {output}\n"
    )


def main(size: int) -> None:
    """Print a line for each file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in files(folder, size):
            sys.stdout.write(search(path, folder))
            sys.stdout.flush()
    sys.stdout.write(f"{size:,} bytes each; limit {LIMIT * size / SIZE:.0f} s\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else SIZE)
