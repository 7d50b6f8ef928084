"""What all commands share: the database, exit codes, and sentences for what went wrong."""

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

TAKEN, REFUSED, WRONG_USAGE = 0, 1, 2
_LONGEST_SHOWN = 60  # characters of a value that is told

_FAULTS: dict[type[DeskError], str] = {
    DatabaseBusyError: "Another program is writing to the database. Nothing was changed; try again"
    " soon.",
    DatabaseReadOnlyError: "The database cannot be written. Nothing was changed; make it writable"
    " first.",
    DatabaseFullError: "There is no room left for the database. Nothing was changed; make room"
    " first.",
    DatabaseUnavailableError: "The database cannot be opened. Nothing was changed; look at"
    " DATABASE_URL or TOKEN_DESK_DATA, and whether the folder or server is there.",
    AuditNotWrittenError: "The audit trail cannot be written. Nothing was changed; look at the"
    " table audit_event and what the database says of it.",
    LastAdministratorError: "Nothing was changed: nobody would be left who is API administrator in"
    " all organizations. Grant that to somebody else first.",
}


def with_database(settings: Settings, act: Callable[[UnitOfWork], int]) -> int:
    """Return the exit code of `act` on the settings' database, which gets its newest tables first.

    What the database or the house's rules have against it is told in a sentence.
    """
    engine = open_engine(settings.url)
    try:
        migrate(engine)
        try:
            keys = settings.pepper_keys
        except OSError as error:
            print_text([pepper_fault(settings, error)], sys.stderr)
            return REFUSED
        unit_of_work = UnitOfWork(
            engine, clock.now, AuditKeyring.of(keys), settings.four_eyes, settings.request_days
        )
        return act(unit_of_work)
    except tuple(_FAULTS) as error:
        print_text([fault(error)], sys.stderr)
    finally:
        engine.dispose()
    return REFUSED


def fault(error: DeskError) -> str:
    """Return the sentence for one of the faults that any command can meet."""
    return _FAULTS[type(error)]


def pepper_fault(settings: Settings, error: OSError) -> str:
    """Return the sentence for a folder that does not take the demo's pepper."""
    return f"The demo's pepper cannot be kept in {settings.data}: {error.strerror}"


def print_anything() -> None:
    """Let names that the terminal cannot show be escaped instead of stopping the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_text(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Print `lines`, by default to where a command's results go."""
    (stream or sys.stdout).writelines(f"{line}\n" for line in lines)


def printable(value: object) -> str:
    """Return `value` in quotation marks, short, and with control characters spelled out."""
    text = str(value)
    short = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
    return repr(short)
