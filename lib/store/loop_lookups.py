"""One token by its digest on PostgreSQL, asked in the event loop.

Measured by tests/benchmarks/check_http.py: through a thread a check took 1.7 times the processor
time. SQLite, which answers at once, needs neither (lib.store.lookups).
"""

import asyncio
from collections import deque
from typing import Any

from sqlalchemy import Engine

from lib.domain.errors import StoreUnavailable
from lib.store.lookups import BY_DIGEST, SECONDS, Looked, driver_fault, looked

_MOST = 20  # connections


class LoopLookups:
    """Reads by digest, for one event loop at a time."""

    def __init__(self, engine: Engine) -> None:
        """Read from the database of `engine`, through connections of its own."""
        self._engine = engine
        self._driver: Any = engine.dialect.loaded_dbapi
        self._idle: deque[Any] = deque()
        self._free = asyncio.Semaphore(_MOST)

    async def token(self, digest: bytes) -> Looked | None:
        """Do what Lookups.token does. Raises StoreUnavailable."""
        row = await self._one(BY_DIGEST.replace("?", "%s"), digest)
        return looked(row, digest) if row else None

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            _finish(self._idle.pop())

    async def _one(self, statement: str, value: bytes) -> Any:  # noqa: ANN401 - the driver's row
        # A connection that the server has closed meanwhile shows only when it is used: once more.
        for last in (False, True):
            try:
                async with self._free, asyncio.timeout(SECONDS):
                    return await self._ask(statement, value)
            except TimeoutError:
                raise StoreUnavailable from None
            except self._driver.Error as error:
                fault = driver_fault(error, self._engine)
            if last or type(fault) is not StoreUnavailable:
                raise fault from None
            self.close()
        return None

    async def _ask(self, statement: str, value: bytes) -> Any:  # noqa: ANN401 - the driver's row
        cursor = self._idle.pop() if self._idle else await self._connect()
        try:
            await cursor.execute(statement, (value,))
            row = await cursor.fetchone()
        except BaseException:
            _finish(cursor)
            raise
        self._idle.append(cursor)
        return row

    async def _connect(self) -> Any:  # noqa: ANN401 - the driver's cursor
        _, arguments = self._engine.dialect.create_connect_args(self._engine.url)
        connection = await self._driver.AsyncConnection.connect(
            **arguments, autocommit=True, connect_timeout=SECONDS
        )
        return connection.cursor(binary=True)


def _finish(cursor: Any) -> None:  # noqa: ANN401 - the driver's cursor
    """Close a connection at once: the driver's own way asks for an event loop."""
    cursor.connection.pgconn.finish()
