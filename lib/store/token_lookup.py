"""Lookup of one token by its digest, or of one credential: it runs at every request to an API.

It uses the driver directly and keeps its own stack of idle connections: SQLAlchemy's pool took as
long as the lookup itself (tests/benchmarks/check.py).
"""

import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from lib.domain.errors import DatabaseUnavailableError
from lib.domain.tokens import FoundToken
from lib.store.columns import select_list
from lib.store.engine import database_error_from, sqlite_module, to_dbapi_error
from lib.store.sqlite_file import file_of

TIMEOUT_SECONDS = 5  # for one attempt; a lost connection is tried twice


class LiveTokenSql(NamedTuple):
    """SQL for the fields of FoundToken, of a live token `t`."""

    columns: str
    joins: str


LIVE_TOKEN = LiveTokenSql(
    select_list(
        FoundToken,
        "t",
        username="m.username",
        jti="COALESCE(t.first_token_id, t.token_id)",
        active="m.status = 'active' AND o.status = 'active' AND b.status = 'active'",
    ),
    "JOIN member m ON m.organization_id = t.organization_id AND m.member_id = t.member_id"
    " JOIN organization o ON o.organization_id = t.organization_id"
    " JOIN subscription b ON b.organization_id = t.organization_id AND b.service_id = t.service_id",
)
_BY_DIGEST = (
    f"SELECT {LIVE_TOKEN.columns} FROM token t {LIVE_TOKEN.joins}"
    " WHERE t.digest = ? AND t.ended_at IS NULL"
)


class FoundCredential(NamedTuple):
    """A live credential of a service."""

    service_id: str
    digest: bytes
    pepper: int


#: SQL for the fields of FoundCredential.
CREDENTIAL = f"{select_list(FoundCredential, 'c')} FROM service_credential c"


class TokenLookup:
    """Lookup on connections that begin no transaction. Threads may share it."""

    def __init__(self, engine: Engine, *, seconds: int = TIMEOUT_SECONDS) -> None:
        """Read from the database of `engine`, with connections that only this object uses.

        `seconds` is how long one attempt waits for a database that is locked or does not answer.
        """
        self._sqlite = engine.dialect.name == "sqlite"
        self._seconds = seconds
        self._engine = _own_engine(engine, seconds)
        self._idle: deque[Any] = deque()
        self._file = file_of(engine)

    def token(self, digest: bytes) -> FoundToken | None:
        """Return the live token with this digest, or None. Raises DatabaseUnavailableError."""
        row = self._fetch_one(_BY_DIGEST, digest)
        return found_token(row) if row else None

    def credential(self, client_id: str) -> FoundCredential | None:
        """Return the live credential of `client_id`, or None.

        An id with unprintable characters is not looked up: PostgreSQL refuses a NUL. Raises
        DatabaseUnavailableError.
        """
        if not client_id.isprintable():
            return None
        statement = f"SELECT {CREDENTIAL} WHERE c.client_id = ? AND c.ended_at IS NULL"
        row = self._fetch_one(statement, client_id)
        return FoundCredential._make(row) if row else None

    def readers_never_wait(self) -> bool:
        """Tell whether a lookup never waits for a writer: on SQLite with a write-ahead log.

        Raises DatabaseUnavailableError.
        """
        return self._sqlite and self._fetch_one("PRAGMA journal_mode") == ("wal",)

    def close(self) -> None:
        """Close all idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _fetch_one(self, statement: str, *values: bytes | str) -> Any:  # noqa: ANN401 - the driver's row
        driver: Any = self._engine.dialect.loaded_dbapi
        # The server may have closed the connection. That only shows when it is used, so try again.
        for last in (False, True):
            try:
                return self._query(statement, values)
            except driver.Error as error:
                failure = database_error_from_driver(error, self._engine)
            except DBAPIError as error:  # from SQLAlchemy, which opens the connection
                failure = database_error_from(error) or DatabaseUnavailableError()
            if last or type(failure) is not DatabaseUnavailableError:
                raise (self._file.explain(failure) if self._file else failure) from None
            self.close()
        return None

    def _query(self, statement: str, values: Sequence[bytes | str]) -> Any:  # noqa: ANN401 - the driver's row
        if self._file:
            self._file.check()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            row = connection.execute(self._with_placeholders(statement), values).fetchone()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return row

    def _with_placeholders(self, statement: str) -> str:
        return statement if self._sqlite else statement.replace("?", "%s")

    def _connect(self) -> Any:  # noqa: ANN401 - the driver's connection
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        try:
            for statement in self._setup():
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def _setup(self) -> tuple[str, ...]:
        if self._sqlite:
            return "PRAGMA query_only=ON", "PRAGMA cache_size=-65536"  # 64 MB
        return (f"SET statement_timeout = {self._seconds * 1000}",)


def found_token(row: Sequence[Any]) -> FoundToken:
    """Return `row`, which has the columns of LIVE_TOKEN, as a token."""
    return FoundToken._make((*row[:-1], bool(row[-1])))


def database_error_from_driver(error: Exception, engine: Engine) -> DatabaseUnavailableError:
    """Return our error for a driver's error. Raises `error` itself if our SQL is wrong."""
    failure = database_error_from(to_dbapi_error(engine.dialect, None, error))
    if failure is None:
        raise error
    return failure


def _own_engine(engine: Engine, seconds: int) -> Engine:
    """Return an engine for the same database that opens connections, and keeps none."""
    if engine.dialect.name == "sqlite":
        return create_engine(
            engine.url,
            module=sqlite_module(),
            connect_args={
                "timeout": seconds,
                "isolation_level": None,
                "check_same_thread": False,
            },
            poolclass=NullPool,
        )
    return create_engine(
        engine.url,
        connect_args={
            "autocommit": True,
            "connect_timeout": seconds,
            "tcp_user_timeout": seconds * 1000,
        },
        poolclass=NullPool,
    )
