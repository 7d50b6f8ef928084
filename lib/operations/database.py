"""Opening the database of a process: the one way for dashboard, API and commands."""

import errno
import logging
from typing import NamedTuple

from sqlalchemy import Engine

from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.errors import DatabaseReadOnlyError
from lib.domain.storage_errors import DataFolderError, OtherPepperError, PepperDamagedError
from lib.domain.token_format import Minting
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import PepperFileError, Settings
from lib.store import key_check_queries, sqlite_file
from lib.store.engine import open_engine, reading, writing
from lib.store.migrate import migrate

_log = logging.getLogger(__name__)


class OpenedDatabase(NamedTuple):
    """What use cases need: the database with its keys, and how tokens are made."""

    unit_of_work: UnitOfWork
    minting: Minting


def open_with(settings: Settings, *, any_pepper: bool = False) -> OpenedDatabase:
    """Open the folder, database and keys of `settings`. Nothing stays open after an error.

    With `any_pepper`, the database opens under other peppers than it was used with before; only
    verifying the audit trail, which tells them apart, wants that.

    Raises:
        DatabaseUnavailableError: One of its subclasses says what is wrong with database or folder.
        OtherPepperError: A pepper is another one than the database was used with.
    """
    if not settings.database_url:
        _make_folder(settings)
    engine = open_database(settings.url)
    try:
        keys = _peppers(settings)
        keyring = AuditKeyring.of(keys)
        if not any_pepper:
            _check_keys(engine, keyring, is_stored=not settings.peppers)
    except BaseException:
        engine.dispose()
        raise
    _warn_of_network(engine)
    unit_of_work = UnitOfWork(
        engine,
        clock.now,
        keyring,
        settings.four_eyes,
        settings.request_days,
        settings.undo_days,
    )
    return OpenedDatabase(unit_of_work, Minting(settings.token_prefix, keys))


def open_database(url: str) -> Engine:
    """Return an engine for `url` with the newest tables.

    Raises DatabaseUnavailableError or one of its subclasses.
    """
    engine = open_engine(url)
    try:
        migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_folder(settings: Settings) -> None:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderError(is_pepper=False, number=_number(error)) from None


def _peppers(settings: Settings) -> dict[int, bytes]:
    try:
        return settings.pepper_keys
    except PepperFileError as error:
        raise PepperDamagedError(str(error)) from None
    except OSError as error:
        raise DataFolderError(is_pepper=True, number=_number(error)) from None


def _number(error: OSError) -> int:
    """Return the system's number of an error. A file in place of a folder gives "File exists"."""
    return errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno or errno.EIO


def _check_keys(engine: Engine, keyring: AuditKeyring, *, is_stored: bool) -> None:
    """Remember keys that are new to the database. Raises OtherPepperError for changed ones."""
    with reading(engine) as connection:
        known = key_check_queries.known(connection)
        changed = keyring.differing(known)
        new = keyring.keys.keys() - known.keys()
        if not known:  # events that are older than the check values can tell as well
            changed |= key_check_queries.unfitting(connection, keyring)
    if changed:
        free = max(known.keys() | keyring.keys.keys()) + 1
        raise OtherPepperError(tuple(sorted(changed)), free, is_stored)
    if new:
        _remember(engine, {number: keyring.check_values[number] for number in new})


def _remember(engine: Engine, checks: dict[int, bytes]) -> None:
    """Store check values, if the database can be written; else a later start does."""
    try:
        with writing(engine) as connection:
            key_check_queries.add(connection, checks)
    except DatabaseReadOnlyError:
        _log.warning("the database is read-only: the check values of its keys are not stored yet")


def _warn_of_network(engine: Engine) -> None:
    file = sqlite_file.file_of(engine)
    kind = file.network_kind() if file else ""
    if kind:
        _log.warning(
            "the database's file is on a network file system (%s): SQLite is for one machine and a"
            " local disk; use PostgreSQL (README, “Back up and restore”)",
            kind,
        )
