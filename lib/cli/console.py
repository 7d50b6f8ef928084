"""Shared by all commands: the database, exit codes, output, and the sentences of errors."""

import io
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from lib.domain.errors import (
    AuditNotWrittenError,
    DatabaseUnavailableError,
    LastAdministratorError,
)
from lib.operations.database import open_with
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings
from lib.wording.unavailable import explain_unavailable

SUCCEEDED, FAILED, WRONG_USAGE = 0, 1, 2
_LONGEST_VALUE = 60  # characters of a value in a sentence

_LAST_ADMINISTRATOR = (
    "Nothing was changed: this would leave no API administrator for all organizations. Grant that"
    " role to somebody else first."
)


def with_database(
    settings: Settings, act: Callable[[UnitOfWork], int], *, any_pepper: bool = False
) -> int:
    """Open the settings' database, run `act` on it and return the exit code of `act`.

    An expected error is printed as a sentence to standard error; the exit code is FAILED then.
    """
    try:
        unit_of_work = open_with(settings, any_pepper=any_pepper).unit_of_work
        try:
            return act(unit_of_work)
        finally:
            unit_of_work.engine.dispose()
    except (DatabaseUnavailableError, AuditNotWrittenError) as error:
        print_text([explain_unavailable(error)], sys.stderr)
    except LastAdministratorError:
        print_text([_LAST_ADMINISTRATOR], sys.stderr)
    return FAILED


def escape_unprintable() -> None:
    """Make the output streams escape characters that the terminal cannot print."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_text(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Print `lines` to `stream`, by default to standard output."""
    (stream or sys.stdout).writelines(f"{line}\n" for line in lines)


def printable(value: object) -> str:
    """Return `value` in quotation marks, with control characters escaped.

    A text of more than 60 characters is cut.
    """
    text = str(value)
    short = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
    return repr(short)
