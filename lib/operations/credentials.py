"""Service credentials: a client id and a secret, by which a service signs in to the API.

RFC 7662, section 2.1, requires it. A service may have two live credentials, so that it can change
to the new one before the old one ends. The secret is shown once to the person who creates it; the
database keeps a keyed digest.
"""

import hmac

from sqlalchemy import Connection, Engine

from lib.domain import token_format
from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction
from lib.domain.credentials import NewCredential, ServiceCredential
from lib.domain.errors import TooManyCredentialsError, UnknownServiceError
from lib.domain.roles import Permission
from lib.domain.token_format import Minting
from lib.operations.access import require
from lib.operations.grants import COMMAND_LINE
from lib.operations.unit_of_work import UnitOfWork
from lib.store import credential_queries
from lib.store.engine import reading
from lib.store.token_lookup import FoundCredential

MOST_LIVE = 2
_SECRET_KIND = "sc"  # noqa: S105 - part of the prefix: a scanner tells a client secret from a token


def list_credentials(engine: Engine, actor: Actor, service_id: str) -> list[ServiceCredential]:
    """Return a service's live credentials, the oldest first. Raises NotAllowedError."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.ACCESS, None)
        return credential_queries.live(connection, service_id)


def list_all_credentials(engine: Engine) -> list[ServiceCredential]:
    """Return every live credential. For the command line: no permission is checked."""
    with reading(engine) as connection:
        return credential_queries.live(connection)


def create(
    unit_of_work: UnitOfWork, actor: Actor, service_id: str, minting: Minting
) -> NewCredential:
    """Create a credential for a service. Only the returned object has the secret in clear.

    Raises NotAllowedError, UnknownServiceError, and TooManyCredentialsError when two are live.
    """
    event = _event(EventAction.CREDENTIAL, actor, service_id)
    with unit_of_work.transaction(event) as connection:
        require(connection, actor.username, Permission.ACCESS, None)
        return _create(connection, unit_of_work, event, minting)


def create_by_command(unit_of_work: UnitOfWork, service_id: str, minting: Minting) -> NewCredential:
    """As `create`, for the command line: no permission is checked."""
    event = _event(EventAction.CREDENTIAL, COMMAND_LINE, service_id)
    with unit_of_work.transaction(event) as connection:
        return _create(connection, unit_of_work, event, minting)


def end(unit_of_work: UnitOfWork, actor: Actor, client_id: str) -> bool:
    """End a credential. Returns False when it is not live. Raises NotAllowedError."""
    event = _event(EventAction.END_CREDENTIAL, actor, "")._replace(subject=client_id)
    with unit_of_work.transaction(event) as connection:
        require(connection, actor.username, Permission.ACCESS, None)
        return _end(connection, unit_of_work, event)


def end_by_command(unit_of_work: UnitOfWork, client_id: str) -> bool:
    """As `end`, for the command line: no permission is checked."""
    event = _event(EventAction.END_CREDENTIAL, COMMAND_LINE, "")._replace(subject=client_id)
    with unit_of_work.transaction(event) as connection:
        return _end(connection, unit_of_work, event)


def service_of(found: FoundCredential | None, client_secret: str, minting: Minting) -> str | None:
    """Return the service id of `found` when `client_secret` is its secret; else None."""
    pepper = minting.peppers.get(found.pepper) if found else None
    if found is None or pepper is None:
        return None
    (digest,) = token_format.digests([client_secret], pepper)
    return found.service_id if hmac.compare_digest(digest, found.digest) else None


def _create(
    connection: Connection, unit_of_work: UnitOfWork, event: Event, minting: Minting
) -> NewCredential:
    service_id = event.service_id
    if not credential_queries.lock_service(connection, service_id):
        raise UnknownServiceError(service_id)
    if len(credential_queries.live(connection, service_id)) >= MOST_LIVE:
        raise TooManyCredentialsError
    (secret,) = token_format.mint(1, f"{minting.prefix}{_SECRET_KIND}")
    (digest,) = minting.digests([secret])
    client_id = f"{service_id}-{token_format.random_name()}"
    credential = ServiceCredential(client_id, service_id, unit_of_work.clock(), event.actor)
    credential_queries.add(connection, credential, digest, minting.pepper_number)
    unit_of_work.record(connection, event._replace(subject=client_id))
    return NewCredential(client_id, secret)


def _end(connection: Connection, unit_of_work: UnitOfWork, event: Event) -> bool:
    client_id, service_id = event.subject, None
    if client_id.isprintable():
        service_id = credential_queries.end(connection, client_id, unit_of_work.clock())
    if service_id is None:
        return False
    unit_of_work.record(connection, event._replace(service_id=service_id))
    return True


def _event(action: EventAction, actor: Actor, service_id: str) -> Event:
    return Event(action, actor.username, actor.address, service_id=service_id)
