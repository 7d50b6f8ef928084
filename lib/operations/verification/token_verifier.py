"""Verification of a token, for services (RFC 7662) and for gateways in front of them."""

import asyncio
import contextlib

from lib.domain import token_format
from lib.domain.clock import Moment
from lib.domain.errors import DatabaseBusyError
from lib.domain.token_format import Minting
from lib.domain.tokens import FoundToken
from lib.operations import revocation
from lib.operations.credentials import service_of
from lib.operations.unit_of_work import UnitOfWork
from lib.operations.verification.usage_recorder import UsageRecorder
from lib.store.async_token_lookup import AsyncTokenLookup
from lib.store.migrate import is_newest
from lib.store.token_lookup import TokenLookup


class TokenVerifier:
    """Verifies tokens by their digest, and notes each use."""

    def __init__(self, unit_of_work: UnitOfWork, minting: Minting) -> None:
        """Verify tokens of `unit_of_work`'s database. Raises DatabaseUnavailableError."""
        self.unit_of_work = unit_of_work
        self.minting = minting
        self.uses = UsageRecorder(unit_of_work)
        self._lookups = TokenLookup(unit_of_work.engine)
        self._no_wait_lookups = TokenLookup(unit_of_work.engine, seconds=0)
        self._in_loop: AsyncTokenLookup | None = None
        if unit_of_work.engine.dialect.name == "postgresql":
            self._in_loop = AsyncTokenLookup(unit_of_work.engine)
        self._readers_never_wait = self._lookups.readers_never_wait()

    def check(self, token: str, service_id: str | None = None) -> FoundToken | None:
        """Return the token's row if it is good now, and note the use; else None.

        With `service_id`, a token of another service is not good. A string without the form of a
        token is answered without the database. Raises DatabaseUnavailableError.
        """
        return self._evaluate(self._lookup(token, self._lookups), service_id)

    async def check_in_loop(self, token: str, service_id: str | None = None) -> FoundToken | None:
        """As `check`, for the event loop, where nothing may wait.

        A thread and the way back cost more than twice the lookup (measured by
        tests/benchmarks/check_http.py). A reader of SQLite's write-ahead log never waits for a
        writer, so SQLite is read in the loop. If the database is locked all the same, or has
        another journal mode, it is read in a thread.
        """
        if self._in_loop:
            found = await self._in_loop.tokens(self._digests(token))
            return self._evaluate(next(iter(found), None), service_id)
        if self._readers_never_wait:
            with contextlib.suppress(DatabaseBusyError):
                return self._evaluate(self._lookup(token, self._no_wait_lookups), service_id)
        return await asyncio.to_thread(self.check, token, service_id)

    def revoke(self, token: str, address: str, service_id: str | None = None) -> bool:
        """End a live token, or bar an ended one; see `revocation.revoke`.

        A string without the form of a token is answered without the database.
        """
        digests = self._digests(token)
        return bool(digests) and revocation.revoke(self.unit_of_work, digests, address, service_id)

    def service_of(self, client_id: str, client_secret: str) -> str | None:
        """Return the id of the service with this credential; None when it is wrong.

        Raises DatabaseUnavailableError.
        """
        found = self._lookups.credential(client_id)
        return service_of(found, client_secret, self.minting)

    async def service_of_in_loop(self, client_id: str, client_secret: str) -> str | None:
        """As `service_of`, for the event loop, where nothing may wait."""
        if self._in_loop is None:
            return await asyncio.to_thread(self.service_of, client_id, client_secret)
        found = await self._in_loop.credential(client_id)
        return service_of(found, client_secret, self.minting)

    def is_ready(self) -> bool:
        """Tell whether the database has the newest tables. Raises DatabaseUnavailableError."""
        return is_newest(self.unit_of_work.engine)

    def close(self) -> None:
        """Write the noted uses, and close the connections."""
        self.uses.stop()
        self._lookups.close()
        self._no_wait_lookups.close()
        if self._in_loop:
            self._in_loop.close()

    def _lookup(self, token: str, lookups: TokenLookup) -> FoundToken | None:
        return next(filter(None, map(lookups.token, self._digests(token))), None)

    def _digests(self, token: str) -> list[bytes]:
        """Return the token's digest under every pepper; none without the form of a token.

        White space around the token is removed here, for checks and for revocation.
        """
        token = token_format.trim(token)
        if not token_format.is_well_formed(token, self.minting.prefix):
            return []
        return [
            token_format.digests([token], pepper)[0] for pepper in self.minting.peppers.values()
        ]

    def _evaluate(self, found: FoundToken | None, service_id: str | None) -> FoundToken | None:
        """Return `found` if it is good now, and note its use; else None."""
        now = self.unit_of_work.clock()
        if (
            found is None
            or not found.active
            or not _is_for_service(found, service_id)
            or not _is_unexpired(found, now)
        ):
            return None
        if not self.uses.has(found, now):
            self.uses.note(found, now)
        return found


def _is_for_service(found: FoundToken, service_id: str | None) -> bool:
    return service_id is None or service_id == found.service_id


def _is_unexpired(found: FoundToken, now: Moment) -> bool:
    return found.expires_at is None or found.expires_at > now
