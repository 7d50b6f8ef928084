"""What a service signs in with."""

from typing import NamedTuple

from lib.domain.clock import Moment


class ServiceCredential(NamedTuple):
    """What a service signs in with; `created_by` is empty for the command line."""

    client_id: str
    service_id: str
    created_at: Moment
    created_by: str


class NewCredential(NamedTuple):
    """A credential with its secret in clear: for its maker, once. Never shown by repr."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Return what may be logged."""
        return f"NewCredential({self.client_id!r}, …)"
