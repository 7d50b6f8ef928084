"""The peppers: numbered keys from the setting, or the demo's own from a file."""

import contextlib
import os
import secrets
import time
from pathlib import Path

_PEPPER_BYTES = 32
_SECONDS = 2  # that a process which finds the file waits for the whole line of the one that made it


class PepperFileError(Exception):
    """The file of the demo's pepper cannot be used; the text says why."""


def parse_peppers(text: str) -> dict[int, bytes]:
    """Return the keys in `text` by number, 32 bytes each. Raises ValueError."""
    keys = {}
    for part in text.split(","):
        number, _, digits = part.strip().partition(":")
        try:
            known, key = _parse_number(number), bytes.fromhex(digits)
        except ValueError:
            msg = "must read 1:<64 hex digits>"
            raise ValueError(msg) from None
        if len(key) != _PEPPER_BYTES or known in keys:
            msg = "must have 64 hex digits (32 bytes) for each number, and each number once"
            raise ValueError(msg)
        keys[known] = key
    return keys


def safe_peppers(text: str) -> str:
    """Return `text`. Raises ValueError if it holds no peppers."""
    parse_peppers(text)
    return text


def _parse_number(text: str) -> int:
    """Return the number of a key: from 0 to what an integer column holds. Raises ValueError."""
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError
    return number


def stored_pepper(path: Path) -> dict[int, bytes]:
    """Return the demo's pepper. The first process creates the file; the others read it.

    No hard link is needed, which some file systems do not have.

    Raises:
        PepperFileError: The file is cut off or damaged.
        OSError: The file or its folder cannot be made or read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        _create(path)
    line = _whole_line(path)
    try:
        return parse_peppers(line)
    except ValueError as error:
        msg = f"it {error}, or be deleted with the demo's database"
        raise PepperFileError(msg) from None


def _create(path: Path) -> None:
    """Write a new pepper. Raises FileExistsError if there is one, and leaves no half of one."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w") as out:
            out.write(f"1:{secrets.token_hex(_PEPPER_BYTES)}\n")
    except OSError:
        path.unlink()
        raise


def _whole_line(path: Path) -> str:
    """Return the line in the file, once it is whole. Raises PepperFileError after two seconds."""
    deadline = time.monotonic() + _SECONDS
    while not (content := path.read_bytes()).endswith(b"\n"):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError:
        return ""
