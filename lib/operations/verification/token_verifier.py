"""Is this token good? Asked by services (RFC 7662) and by gateways in front of them."""

import asyncio
import contextlib
from collections.abc import Iterable
from operator import attrgetter

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
from lib.store.token_lookup import LookupResult, TokenLookup


class TokenVerifier:
    """What answers for tokens: reads by digest, and the uses that it notes."""

    def __init__(self, unit_of_work: UnitOfWork, minting: Minting) -> None:
        """Answer for the tokens in `ledger`'s database. Raises StoreUnavailable."""
        self.unit_of_work = unit_of_work
        self.minting = minting
        self.uses = UsageRecorder(unit_of_work)
        self._lookups = TokenLookup(unit_of_work.engine)
        self._at_once = TokenLookup(unit_of_work.engine, seconds=0)
        self._in_loop: AsyncTokenLookup | None = None
        if unit_of_work.engine.dialect.name == "postgresql":
            self._in_loop = AsyncTokenLookup(unit_of_work.engine)
        self._answers_at_once = self._lookups.readers_never_wait()

    def check(self, token: str, service_id: str | None = None) -> FoundToken | None:
        """Return the token's row when it is good now, and note the use; else None.

        A token of another service than `service_id` is no token. What has not the form of one is
        answered without the database. Raises StoreUnavailable.
        """
        return self._evaluate(self._look(token, self._lookups), service_id)

    async def check_in_loop(self, token: str, service_id: str | None = None) -> FoundToken | None:
        """Do what `check` does where nothing may wait: in the event loop.

        Measured by tests/benchmarks/check_http.py: a way to a thread and back costs more than twice
        the lookup. A reader of SQLite's write-ahead log never waits for a writer, so it is asked
        right here; and in a thread where it is locked all the same, or has another journal.
        """
        if self._in_loop:
            found = await self._in_loop.tokens(self._digests(token))
            return self._evaluate(_best_match(found), service_id)
        if self._answers_at_once:
            with contextlib.suppress(DatabaseBusyError):
                return self._evaluate(self._look(token, self._at_once), service_id)
        return await asyncio.to_thread(self.check, token, service_id)

    def revoke(self, token: str, address: str, service_id: str | None = None) -> bool:
        """End a live token, good or not; tell whether there was one (lib.operations.revocation).

        A token of another service than `service_id` is no token. `address` is whose it was done
        from. Raises StoreUnavailable and AuditUnwritten.
        """
        looked = self._look(token, self._lookups)
        if looked is None or not looked.same or not _is_for_service(looked.token, service_id):
            return False
        asked_by = f"service {service_id}" if service_id else "its holder"
        return revocation.end(self.unit_of_work, looked.token, address, asked_by)

    def service_of(self, client_id: str, client_secret: str) -> str | None:
        """Return the service that signs in with this, or None. Raises StoreUnavailable."""
        found = self._lookups.credential(client_id)
        return service_of(found, client_secret, self.minting)

    async def service_of_in_loop(self, client_id: str, client_secret: str) -> str | None:
        """Do what `service_of` does where nothing may wait: in the event loop."""
        if self._in_loop is None:
            return await asyncio.to_thread(self.service_of, client_id, client_secret)
        found = await self._in_loop.credential(client_id)
        return service_of(found, client_secret, self.minting)

    def is_ready(self) -> bool:
        """Tell whether the database answers and has the newest tables. Raises StoreUnavailable."""
        return is_newest(self.unit_of_work.engine)

    def close(self) -> None:
        """Write the uses that are noted, and close the connections."""
        self.uses.stop()
        self._lookups.close()
        self._at_once.close()
        if self._in_loop:
            self._in_loop.close()

    def _look(self, token: str, lookups: TokenLookup) -> LookupResult | None:
        return _best_match([lookups.token(digest) for digest in self._digests(token)])

    def _digests(self, token: str) -> list[bytes]:
        """Return the token's digest under every pepper; none when it has not the form of one.

        All of them are asked, also when the first is the one: what is asked must not depend on it.
        White space round the token is cut here, for whoever checks or revokes it.
        """
        token = token_format.trim(token)
        if not token_format.is_well_formed(token, self.minting.prefix):
            return []
        return [
            token_format.digests([token], pepper)[0] for pepper in self.minting.peppers.values()
        ]

    def _evaluate(self, looked: LookupResult | None, service_id: str | None) -> FoundToken | None:
        """Return the token when it is good now, and note its use.

        What is not good takes the steps of what is: with another token, if there is no such one.
        """
        if looked is None:
            return None
        now = self.unit_of_work.clock()
        found = looked.token
        good = (
            looked.same
            & found.active
            & _is_for_service(found, service_id)
            & _is_unexpired(found, now)
        )
        noted = self.uses.has(found, now)
        if good & (not noted):
            self.uses.note(found, now)
        return (None, found)[good]


def _best_match(found: Iterable[LookupResult | None]) -> LookupResult | None:
    return max(filter(None, found), key=attrgetter("same"), default=None)


def _is_for_service(found: FoundToken, service_id: str | None) -> bool:
    return service_id is None or service_id == found.service_id


def _is_unexpired(found: FoundToken, now: Moment) -> bool:
    return found.expires_at is None or found.expires_at > now
