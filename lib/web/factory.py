"""Builds the Api of a process from its database and settings.

It is a module of its own, so that the routes can be imported without the database code.
"""

from lib.domain.token_format import Minting
from lib.operations.unit_of_work import UnitOfWork
from lib.operations.verification.token_verifier import TokenVerifier
from lib.settings import Settings
from lib.web.api_endpoints import Api
from lib.web.failure_log import FailureLog


def make_api(unit_of_work: UnitOfWork, minting: Minting, settings: Settings) -> Api:
    """Return the Api of this process. Raises DatabaseUnavailableError."""
    return Api(
        TokenVerifier(unit_of_work, minting),
        FailureLog(unit_of_work.clock),
        settings.token_header,
        settings.trusted_proxies,
        settings.open_revoke,
    )
