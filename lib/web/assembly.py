"""The Api on a process's database and settings: apart, so that the routes are known before it."""

from lib.domain.secrets import Minting
from lib.operations.checking import Checker
from lib.operations.ledger import Ledger
from lib.settings import Settings
from lib.web.endpoints import Api
from lib.web.failure_log import FailureLog


def assemble(ledger: Ledger, minting: Minting, settings: Settings) -> Api:
    """Return the Api. Raises StoreUnavailable."""
    return Api(
        Checker(ledger, minting),
        FailureLog(ledger.clock),
        settings.token_header,
        settings.trusted_proxies,
        settings.open_revoke,
    )
