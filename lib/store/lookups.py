"""One token or one credential by its digest: what is asked on every request to an API.

Straight on the driver, from a pool of its own: SQLAlchemy's connection around the same statement
took four times as long (tests/benchmarks/check.py).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from lib.domain.errors import StoreBusy, StoreUnavailable
from lib.domain.rows import FoundToken
from lib.store.engine import sqlite_module, store_fault

_BY_DIGEST = (
    "SELECT t.organization_id, t.service_id, t.token_id, t.member_id, m.username, t.state,"
    # A request's token is minted when it is accepted.
    " CASE WHEN t.origin = 'request' THEN t.accepted_at ELSE t.created_at END, t.expires_at,"
    " m.status = 'active' AND o.status = 'active' AND b.status = 'active'"
    " FROM token t JOIN member m ON m.organization_id = t.organization_id"
    " AND m.member_id = t.member_id JOIN organization o ON o.organization_id = t.organization_id"
    " JOIN subscription b ON b.organization_id = t.organization_id AND b.service_id = t.service_id"
    " WHERE t.digest = {0} AND t.ended_at IS NULL"
)
_CREDENTIAL = (
    "SELECT service_id, digest, pepper FROM service_credential"
    " WHERE client_id = {0} AND ended_at IS NULL"
)


class FoundCredential(NamedTuple):
    """A live credential of a service."""

    service_id: str
    digest: bytes
    pepper: int


class Lookups:
    """Reads by digest, on connections that begin no transaction."""

    def __init__(self, engine: Engine) -> None:
        """Read from the database of `engine`, through connections of its own."""
        self._engine = _own_engine(engine)
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        self._token, self._credential = _BY_DIGEST.format(mark), _CREDENTIAL.format(mark)

    def token(self, digests: Sequence[bytes]) -> FoundToken | None:
        """Return the live token with one of `digests`, or None. Raises StoreUnavailable."""
        for digest in digests:
            if row := self._one(self._token, digest):
                return FoundToken._make(row)._replace(active=bool(row[-1]))
        return None

    def credential(self, client_id: str) -> FoundCredential | None:
        """Return the live credential of `client_id`, or None. Raises StoreUnavailable."""
        row = self._one(self._credential, client_id)
        return FoundCredential(row[0], bytes(row[1]), row[2]) if row else None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _one(self, statement: str, value: bytes | str) -> Any:  # noqa: ANN401 - the driver's row
        driver: Any = self._engine.dialect.loaded_dbapi
        # A connection that the server has closed meanwhile shows only when it is used: once more.
        for last in (False, True):
            try:
                return self._ask(statement, value)
            except PoolTimeout:
                raise StoreBusy from None
            except driver.Error as error:
                fault = _fault(error, driver, self._engine)
                if last or type(fault) is not StoreUnavailable:
                    raise fault from None
        return None

    def _ask(self, statement: str, value: bytes | str) -> Any:  # noqa: ANN401 - the driver's row
        pooled = self._engine.raw_connection()
        try:
            connection: Any = pooled.driver_connection
            return connection.execute(statement, (value,)).fetchone()
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()


def _fault(error: Exception, driver: Any, engine: Engine) -> StoreUnavailable:  # noqa: ANN401 - a module
    wrapped = DBAPIError.instance(
        None, None, error, driver.Error, hide_parameters=True, dialect=engine.dialect
    )
    fault = store_fault(wrapped) if isinstance(wrapped, DBAPIError) else None
    if fault is None:
        raise error
    return fault


def _own_engine(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        own = create_engine(
            engine.url,
            module=sqlite_module(),
            connect_args={"timeout": 5, "isolation_level": None, "check_same_thread": False},
            pool_size=20,
            max_overflow=40,
            pool_reset_on_return=None,
        )

        @event.listens_for(own, "connect")
        def _prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA cache_size=-65536")

        return own
    return create_engine(
        engine.url,
        connect_args={"autocommit": True},
        pool_size=20,
        max_overflow=40,
        pool_reset_on_return=None,
    )
