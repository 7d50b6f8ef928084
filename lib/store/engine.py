"""Connections to SQLite and PostgreSQL: `reading` and `writing`, and errors of our own."""

import contextlib
import sqlite3
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Engine, Transaction, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from lib.domain.errors import (
    DatabaseBusyError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
)
from lib.domain.storage_errors import DatabaseFileError, FileFault, PoolerModeError
from lib.store.sqlite_file import SqliteFile, file_of, options_of

_SAFE_WAL = (3, 51, 3)  # older versions can lose a commit of two connections (the "WAL-reset" bug)
_CONNECT_SECONDS = 10  # unless the URL sets another; the driver itself waits for minutes
_WRITES = "desk_writes"  # execution option: a SQLite transaction takes the write lock at once

_SQLITE_ERRORS: dict[int, Callable[[], DatabaseUnavailableError]] = {
    sqlite3.SQLITE_BUSY: DatabaseBusyError,
    sqlite3.SQLITE_LOCKED: DatabaseBusyError,
    sqlite3.SQLITE_READONLY: DatabaseReadOnlyError,
    sqlite3.SQLITE_FULL: DatabaseFullError,
    sqlite3.SQLITE_IOERR: DatabaseUnavailableError,
    sqlite3.SQLITE_CANTOPEN: DatabaseUnavailableError,
    sqlite3.SQLITE_CORRUPT: partial(DatabaseFileError, FileFault.DAMAGED),
    sqlite3.SQLITE_NOTADB: partial(DatabaseFileError, FileFault.NOT_A_DATABASE),
}
#: By SQLSTATE, or by its first two characters (its class).
_POSTGRESQL_ERRORS: dict[str, Callable[[], DatabaseUnavailableError]] = {
    "08": DatabaseUnavailableError,  # connection_exception
    "0A000": DatabaseUnavailableError,  # the table of a prepared statement has changed: reconnect
    "26000": PoolerModeError,  # invalid_sql_statement_name: a prepared statement is gone
    "42P05": PoolerModeError,  # duplicate_prepared_statement: another client's, on our connection
    "25006": DatabaseReadOnlyError,  # read_only_sql_transaction
    "40001": DatabaseBusyError,  # serialization_failure
    "40P01": DatabaseBusyError,  # deadlock_detected
    "53": DatabaseUnavailableError,  # insufficient_resources: memory, connections
    "53100": DatabaseFullError,  # disk_full
    "55P03": DatabaseBusyError,  # lock_not_available
    "57014": DatabaseBusyError,  # query_canceled: the server's own time limit
    "57": DatabaseUnavailableError,  # operator_intervention: the server stops, or ends a connection
    "58": DatabaseUnavailableError,  # system_error
}


def open_engine(url: str, *, busy_seconds: float = 30) -> Engine:
    """Return the engine for `url` (`sqlite:///path` or `postgresql+psycopg://…`).

    `busy_seconds` is how long a writer waits for another one, in seconds.
    """
    if url.startswith("sqlite"):
        return _open_sqlite(url, busy_seconds)
    own = {} if "connect_timeout" in make_url(url).query else {"connect_timeout": _CONNECT_SECONDS}
    engine = create_engine(
        url,
        pool_size=10,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=own,
    )

    @event.listens_for(engine, "connect")
    def _wait(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own
        connection.execute(f"SET lock_timeout = {int(busy_seconds * 1000)}")
        connection.commit()

    return engine


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose reads all see the same snapshot.

    Raises DatabaseUnavailableError or a subclass.
    """
    with _translate_errors(engine), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")  # changes it in place
        yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction; commit at the end, or roll back on any error.

    Raises DatabaseUnavailableError or a subclass.
    """
    with _translate_errors(engine), engine.connect() as connection, _begin_afresh(connection):
        yield connection


@contextlib.contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a connection as `writing` does, in which tables can be rebuilt.

    SQLite's foreign keys are off, and all of them are checked before the commit: rows that refer to
    nothing raise ValueError, and nothing is changed. Other databases need neither.
    """
    if engine.dialect.name != "sqlite":
        with writing(engine) as connection:
            yield connection
        return
    with _translate_errors(engine), engine.connect() as connection:
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        driver.execute("PRAGMA foreign_keys=OFF")  # within a transaction it would do nothing
        try:
            with _begin_writing(connection):
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    msg = f"rows that refer to nothing: {sorted({row[0] for row in broken})}"
                    raise ValueError(msg)
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _begin_afresh(connection: Connection) -> Transaction:
    """Begin a transaction that writes, on a new connection if this one must be read-only."""
    file = file_of(connection.engine)
    if file and file.is_outdated(connection):
        connection.invalidate()
    return _begin_writing(connection)


def _begin_writing(connection: Connection) -> Transaction:
    connection.execution_options(**{_WRITES: True})  # changes it in place
    return connection.begin()


def _open_sqlite(url: str, busy_seconds: float) -> Engine:
    module, file = sqlite_module(), SqliteFile()
    engine = create_engine(
        url,
        module=module,
        execution_options=options_of(file),
        hide_parameters=True,
        connect_args={"timeout": busy_seconds, "isolation_level": None, "check_same_thread": False},
        pool_size=10,
        max_overflow=20,
    )
    event.listen(engine, "do_connect", file.before_connection)
    journal = "WAL" if module.sqlite_version_info >= _SAFE_WAL else "DELETE"

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own
        for pragma in (
            "foreign_keys=ON",
            "synchronous=FULL",
            "cache_size=-65536",  # 64 MB
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # A read-only database keeps its journal mode, and reads still work.
        with contextlib.suppress(module.OperationalError):
            connection.execute(f"PRAGMA journal_mode={journal}")

    event.listen(engine, "connect", file.after_connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        file.check()
        # BEGIN IMMEDIATE: a transaction that first reads and then writes would fail under load.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def sqlite_module() -> ModuleType:
    """Return the module of a safe SQLite (see _SAFE_WAL), or the standard library's."""
    if sqlite3.sqlite_version_info < _SAFE_WAL and sys.platform == "linux":
        with contextlib.suppress(ImportError):
            return import_module("pysqlite3.dbapi2")
    return sqlite3


@contextlib.contextmanager
def _translate_errors(engine: Engine) -> Iterator[None]:
    """Turn errors of the database into errors of our own; a mistake in our SQL stays as it is."""
    try:
        yield
    except PoolTimeout:
        raise DatabaseBusyError from None
    except DBAPIError as error:
        translated = database_error_from(error)
        if translated is None:
            raise
        if isinstance(translated, DatabaseReadOnlyError):
            engine.dispose()  # connections of PostgreSQL, too, stay as read-only as they began
        raise explained(engine, translated) from None


def explained(engine: Engine, error: DatabaseUnavailableError) -> DatabaseUnavailableError:
    """Return `error`, or a closer one where SQLite's file shows the reason."""
    file = file_of(engine)
    return file.explain(error) if file else error


def to_dbapi_error(dialect: Dialect, statement: str | None, error: Exception) -> DBAPIError:
    """Return the SQLAlchemy error for a driver's error.

    SQLAlchemy does this only for statements that it executes itself.
    """
    driver: Any = dialect.loaded_dbapi
    wrapped: Any = DBAPIError.instance(
        statement, None, error, driver.Error, hide_parameters=True, dialect=dialect
    )
    return cast("DBAPIError", wrapped)


def database_error_from(error: DBAPIError) -> DatabaseUnavailableError | None:
    """Return our error for an error of the database; None if our SQL is wrong."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    state = getattr(error.orig, "sqlstate", None)
    kind: Callable[[], DatabaseUnavailableError] | None
    if code is not None:
        kind = _SQLITE_ERRORS.get(code & 0xFF)
    elif state is not None:
        kind = _POSTGRESQL_ERRORS.get(state) or _POSTGRESQL_ERRORS.get(state[:2])
    else:  # no code: the server was not reached, or the connection was lost
        lost = isinstance(error, OperationalError | InterfaceError)
        kind = DatabaseUnavailableError if lost else None
    return kind() if kind else None
