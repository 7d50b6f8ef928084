"""Lookup of tokens and credentials on PostgreSQL, inside the event loop and in batches.

All keys that arrive while one statement runs share the next statement. Measured by
tests/benchmarks/check_http.py: a thread for each check took 1.7 times the processor time of this,
and a statement for each check took 1.2 times as much. SQLite answers at once and does not need
this (lib.store.token_lookup).
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Engine

from lib.domain.errors import DatabaseUnavailableError
from lib.domain.tokens import FoundToken
from lib.store.token_lookup import (
    CREDENTIAL,
    LIVE_TOKEN,
    TIMEOUT_SECONDS,
    FoundCredential,
    database_error_from_driver,
    found_token,
)

_MOST = 100  # keys in one statement

_BY_DIGESTS = (
    f"SELECT asked.place, {LIVE_TOKEN.columns}"
    " FROM unnest(%s::bytea[]) WITH ORDINALITY AS asked (digest, place)"
    f" JOIN token t ON t.digest = asked.digest AND t.ended_at IS NULL {LIVE_TOKEN.joins}"
)
# One generic plan for any number of digests, since planning takes longer than the query itself.
# Hash and merge joins are off: for a hundred digests PostgreSQL would read whole tables.
_SETUP = (
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET jit = off",
)

_BY_CLIENT_IDS = (
    f"SELECT asked.place, {CREDENTIAL} JOIN unnest(%s::text[]) WITH ORDINALITY AS asked (id, place)"
    " ON asked.id = c.client_id WHERE c.ended_at IS NULL"
)

_Answer: TypeAlias = "asyncio.Future[Sequence[Any] | None]"


class AsyncTokenLookup:
    """Lookup by digest and by client id, for one event loop at a time."""

    def __init__(self, engine: Engine) -> None:
        """Read from the database of `engine`, with connections that only this object uses."""
        self._tokens = _Batches(engine, _BY_DIGESTS)
        self._credentials = _Batches(engine, _BY_CLIENT_IDS)

    async def tokens(self, digests: Sequence[bytes]) -> list[FoundToken]:
        """Return the live tokens that have one of `digests`. Raises DatabaseUnavailableError."""
        rows = await asyncio.gather(*map(self._tokens.row, digests))
        return [found_token(row) for row in rows if row]

    async def credential(self, client_id: str) -> FoundCredential | None:
        """Return what TokenLookup.credential returns. Raises DatabaseUnavailableError."""
        row = await self._credentials.row(client_id) if client_id.isprintable() else None
        return FoundCredential._make(row) if row else None

    def close(self) -> None:
        """Close the connections."""
        self._tokens.close()
        self._credentials.close()


class _Batches:
    """Queues keys while a statement runs, and looks them all up with the next statement."""

    def __init__(self, engine: Engine, statement: str) -> None:
        self._engine = engine
        self._statement = statement
        self._driver: Any = engine.dialect.loaded_dbapi
        self._cursor: Any = None
        self._queued: list[tuple[bytes | str, _Answer]] = []
        self._answering: asyncio.Task[None] | None = None

    def row(self, key: bytes | str) -> _Answer:
        """Queue `key`; return a future of its row, or of None."""
        loop = asyncio.get_running_loop()
        answer: _Answer = loop.create_future()
        self._queued.append((key, answer))
        if not self._answering or self._answering.done():
            self._answering = loop.create_task(self._answer_all())
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._cursor:
            # Immediately: the driver's own `close` needs an event loop.
            self._cursor.connection.pgconn.finish()
            self._cursor = None

    async def _answer_all(self) -> None:
        while self._queued:
            batch, self._queued = self._queued[:_MOST], self._queued[_MOST:]
            try:
                rows = await self._rows_in_time([key for key, _ in batch])
            except Exception as failure:  # noqa: BLE001 - raised where the answer is awaited
                # Also for the keys behind them: while the database is lost, nobody waits longer.
                batch, self._queued = batch + self._queued, []
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(failure)
            else:
                for place, (_, answer) in enumerate(batch, 1):
                    if not answer.done():  # the caller may have been cancelled
                        answer.set_result(rows.get(place))

    async def _rows_in_time(self, keys: Sequence[bytes | str]) -> dict[int, Sequence[Any]]:
        """Return the rows by the position of their key, counted from 1."""
        finding = asyncio.ensure_future(self._rows(keys))
        done, _ = await asyncio.wait({finding}, timeout=TIMEOUT_SECONDS)
        if not done:
            self.close()  # before cancelling: the driver would ask the server to cancel, and wait
            finding.cancel()
            raise DatabaseUnavailableError
        return {place: row for place, *row in finding.result()}

    async def _rows(self, keys: Sequence[bytes | str], *, again: bool = True) -> list[Any]:
        try:
            return await self._query(keys)
        except self._driver.Error as error:
            failure = database_error_from_driver(error, self._engine)
        # The server may have closed the connection. That only shows when it is used, so try again.
        if again and type(failure) is DatabaseUnavailableError:
            return await self._rows(keys, again=False)
        raise failure

    async def _query(self, keys: Sequence[bytes | str]) -> list[Any]:
        try:
            if self._cursor is None:
                self._cursor = await self._connect()
            await self._cursor.execute(self._statement, (keys,), prepare=True)
            rows: list[Any] = await self._cursor.fetchall()
        except BaseException:
            self.close()
            raise
        return rows

    async def _connect(self) -> Any:  # noqa: ANN401 - the driver's cursor
        _, arguments = self._engine.dialect.create_connect_args(self._engine.url)
        # Overrides what the database URL says.
        arguments.update(autocommit=True, connect_timeout=TIMEOUT_SECONDS)
        connection = await self._driver.AsyncConnection.connect(**arguments)
        cursor = connection.cursor(binary=True)
        try:
            for statement in _SETUP:
                await cursor.execute(statement)
        except BaseException:
            connection.pgconn.finish()
            raise
        return cursor
