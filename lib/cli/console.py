"""Shared by all commands: the database, exit codes, output, and the sentences of errors."""

import io
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.errors import (
    AuditNotWrittenError,
    DatabaseBusyError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
    DeskError,
    LastAdministratorError,
)
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings
from lib.store.engine import open_engine
from lib.store.migrate import migrate

SUCCEEDED, FAILED, WRONG_USAGE = 0, 1, 2
_LONGEST_VALUE = 60  # characters of a value in a sentence

_ERROR_MESSAGES: dict[type[DeskError], str] = {
    DatabaseBusyError: "Another program is writing to the database. Nothing was changed; try again"
    " soon.",
    DatabaseReadOnlyError: "The database is read-only. Nothing was changed; make it writable"
    " first.",
    DatabaseFullError: "There is no disk space left for the database. Nothing was changed; free"
    " some space first.",
    DatabaseUnavailableError: "The database cannot be opened. Nothing was changed; check"
    " DATABASE_URL or TOKEN_DESK_DATA, and whether the folder or server exists.",
    AuditNotWrittenError: "The audit trail cannot be written. Nothing was changed; check the"
    " table audit_event and the log of the database.",
    LastAdministratorError: "Nothing was changed: this would leave no API administrator for all"
    " organizations. Grant that role to somebody else first.",
}


def with_database(settings: Settings, act: Callable[[UnitOfWork], int]) -> int:
    """Migrate the settings' database, run `act` on it and return the exit code of `act`.

    An expected error is printed as a sentence to standard error; the exit code is FAILED then.
    """
    engine = open_engine(settings.url)
    try:
        migrate(engine)
        try:
            keys = settings.pepper_keys
        except OSError as error:
            print_text([pepper_error_message(settings, error)], sys.stderr)
            return FAILED
        unit_of_work = UnitOfWork(
            engine,
            clock.now,
            AuditKeyring.of(keys),
            settings.four_eyes,
            settings.request_days,
            settings.undo_days,
        )
        return act(unit_of_work)
    except tuple(_ERROR_MESSAGES) as error:
        print_text([error_message(error)], sys.stderr)
    finally:
        engine.dispose()
    return FAILED


def error_message(error: DeskError) -> str:
    """Return the sentence for an error that every command can raise."""
    return _ERROR_MESSAGES[type(error)]


def pepper_error_message(settings: Settings, error: OSError) -> str:
    """Return the sentence for a demo pepper that cannot be stored."""
    return f"The demo's pepper cannot be stored in {settings.data}: {error.strerror}"


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
