"""Tokens and credentials on PostgreSQL, asked in the event loop, as many at once as have come.

Measured by tests/benchmarks/check_http.py: through a thread a check took 1.7 times the processor
time, and with a statement of its own 1.2 times that of sharing one with all that came while the
last was under way. SQLite, which answers at once, needs none of this (lib.store.token_lookup).
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Engine

from lib.domain.errors import DatabaseUnavailableError
from lib.store.token_lookup import (
    CREDENTIAL,
    LIVE_TOKEN,
    TIMEOUT_SECONDS,
    FoundCredential,
    LookupResult,
    database_error_from_driver,
    lookup_result,
)

_MOST = 100  # keys in one statement

# As lib.store.token_lookup has it for one: for each digest the first live token at it or after it.
_BY_DIGESTS = (
    f"SELECT asked.place, {LIVE_TOKEN.columns}"
    " FROM unnest(%s::bytea[]) WITH ORDINALITY AS asked (digest, place) CROSS JOIN LATERAL"
    " (SELECT d.* FROM token d WHERE d.digest >= asked.digest AND d.ended_at IS NULL"
    f" ORDER BY d.digest LIMIT 1) t {LIVE_TOKEN.joins}"
)
# One plan for any number of digests, made once, since planning takes longer than the answer; and
# with loops by the indexes, since for a hundred digests it would read whole tables into a hash.
_PREPARED_BY = (
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
    """Reads by digest and by client id, for one event loop at a time."""

    def __init__(self, engine: Engine) -> None:
        """Read from the database of `engine`, through connections of its own."""
        self._tokens = _Batches(engine, _BY_DIGESTS)
        self._credentials = _Batches(engine, _BY_CLIENT_IDS)

    async def tokens(self, digests: Sequence[bytes]) -> list[LookupResult | None]:
        """Do what Lookups.token does for each of `digests`. Raises StoreUnavailable."""
        rows = await asyncio.gather(*map(self._tokens.row, digests))
        return [
            lookup_result(row, digest) if row else None
            for row, digest in zip(rows, digests, strict=True)
        ]

    async def credential(self, client_id: str) -> FoundCredential | None:
        """Do what Lookups.credential does. Raises StoreUnavailable."""
        row = await self._credentials.row(client_id) if client_id.isprintable() else None
        return FoundCredential._make(row) if row else None

    def close(self) -> None:
        """Close the connections."""
        self._tokens.close()
        self._credentials.close()


class _Batches:
    """One statement for all the keys that came while the last one was under way."""

    def __init__(self, engine: Engine, statement: str) -> None:
        self._engine = engine
        self._statement = statement
        self._driver: Any = engine.dialect.loaded_dbapi
        self._cursor: Any = None
        self._asked: list[tuple[bytes | str, _Answer]] = []
        self._answering: asyncio.Task[None] | None = None

    def row(self, key: bytes | str) -> _Answer:
        """Ask for the row of `key`."""
        loop = asyncio.get_running_loop()
        answer: _Answer = loop.create_future()
        self._asked.append((key, answer))
        if not self._answering or self._answering.done():
            self._answering = loop.create_task(self._answer_all())
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._cursor:
            # At once: the driver's own way asks for an event loop.
            self._cursor.connection.pgconn.finish()
            self._cursor = None

    async def _answer_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked[:_MOST], self._asked[_MOST:]
            try:
                rows = await self._rows_in_time([key for key, _ in asked])
            except Exception as fault:  # noqa: BLE001 - raised where the answer is awaited
                # Those behind them too: who comes while a database is lost waits no longer for it.
                asked, self._asked = asked + self._asked, []
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(fault)
            else:
                for place, (_, answer) in enumerate(asked, 1):
                    if not answer.done():  # whoever asked may be gone
                        answer.set_result(rows.get(place))

    async def _rows_in_time(self, keys: Sequence[bytes | str]) -> dict[int, Sequence[Any]]:
        """Return the rows by the place, from 1, of the key that they are for."""
        finding = asyncio.ensure_future(self._rows(keys))
        done, _ = await asyncio.wait({finding}, timeout=TIMEOUT_SECONDS)
        if not done:
            self.close()  # first: else the driver, cancelled, asks the server to cancel, and waits
            finding.cancel()
            raise DatabaseUnavailableError
        return {place: row for place, *row in finding.result()}

    async def _rows(self, keys: Sequence[bytes | str], *, again: bool = True) -> list[Any]:
        try:
            return await self._ask(keys)
        except self._driver.Error as error:
            fault = database_error_from_driver(error, self._engine)
        # A connection that the server has closed meanwhile shows only when it is used: once more.
        if again and type(fault) is DatabaseUnavailableError:
            return await self._rows(keys, again=False)
        raise fault

    async def _ask(self, keys: Sequence[bytes | str]) -> list[Any]:
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
        # Over what the address says, if it does.
        arguments.update(autocommit=True, connect_timeout=TIMEOUT_SECONDS)
        connection = await self._driver.AsyncConnection.connect(**arguments)
        cursor = connection.cursor(binary=True)
        try:
            for statement in _PREPARED_BY:
                await cursor.execute(statement)
        except BaseException:
            connection.pgconn.finish()
            raise
        return cursor
