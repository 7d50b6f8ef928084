"""Client credentials of services."""

from typing import NamedTuple

from lib.domain.clock import Moment


class ServiceCredential(NamedTuple):
    """A credential that a service authenticates with, without its secret.

    `created_by` is a username; it is empty for a credential that was created by command.
    """

    client_id: str
    service_id: str
    created_at: Moment
    created_by: str


class NewCredential(NamedTuple):
    """A new credential with its secret in clear, returned once to the person who creates it."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Return the client id only, so that a log never has the secret."""
        return f"NewCredential({self.client_id!r}, …)"
