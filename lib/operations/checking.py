"""Is this token good? Asked by services (RFC 7662) and by gateways in front of them."""

from lib.domain import secrets
from lib.domain.rows import FoundToken
from lib.domain.secrets import Minting
from lib.operations.credentials import service_of
from lib.operations.ledger import Ledger
from lib.operations.uses import Uses
from lib.store.lookups import Lookups
from lib.store.migrate import is_newest


class Checker:
    """What answers for tokens: reads by digest, and the uses that it notes."""

    def __init__(self, ledger: Ledger, minting: Minting) -> None:
        """Answer for the tokens in `ledger`'s database."""
        self.ledger = ledger
        self.minting = minting
        self.uses = Uses(ledger)
        self._lookups = Lookups(ledger.engine)

    def check(self, token: str, service_id: str | None = None) -> FoundToken | None:
        """Return the token's row when it is good now, and note the use; else None.

        A token of another service than `service_id` is no token. What has not the form of one is
        answered without the database. Raises StoreUnavailable.
        """
        minting = self.minting
        if not secrets.is_well_formed(token, minting.prefix):
            return None
        digests = [
            secrets.digests([token], minting.peppers[number])[0]
            for number in sorted(minting.peppers, reverse=True)
        ]
        found = self._lookups.token(digests)
        if found is None or not found.active or service_id not in {None, found.service_id}:
            return None
        now = self.ledger.clock()
        if found.expires_at is not None and found.expires_at <= now:
            return None
        self.uses.note(found, now)
        return found

    def service_of(self, client_id: str, client_secret: str) -> str | None:
        """Return the service that signs in with this credential, or None."""
        return service_of(self._lookups, client_id, client_secret, self.minting)

    def is_ready(self) -> bool:
        """Tell whether the database answers and has the newest tables."""
        return is_newest(self.ledger.engine)

    def close(self) -> None:
        """Write the uses that are noted, and close the connections."""
        self.uses.stop()
        self._lookups.close()
