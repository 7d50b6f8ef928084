"""Sign-in by a proxy, which names the person in a header of each request."""

from sqlalchemy import Connection

from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction
from lib.domain.errors import NotInDirectoryError, SignInRefusedError
from lib.domain.search import composed, possible_name
from lib.operations.identification import named_person, refusal_of
from lib.operations.unit_of_work import UnitOfWork
from lib.store.engine import reading


def begin(unit_of_work: UnitOfWork, name: str, address: str) -> Actor:
    """Return the person whom the proxy names, and record the sign-in.

    Raises SignInRefusedError, which is recorded too, when the directory has no such active person.
    """
    attempt = Event(EventAction.SIGN_IN, actor=possible_name(composed(name)), address=address)
    with unit_of_work.transaction(attempt) as connection:
        found = _find(connection, name, address)
        event = (
            refusal_of(attempt, found)
            if isinstance(found, SignInRefusedError)
            else attempt._replace(actor=found.username)
        )
        unit_of_work.record(connection, event)
    return _or_raise(found)


def find(unit_of_work: UnitOfWork, name: str, address: str) -> Actor:
    """Return the person whom the proxy names; nothing is recorded. Raises SignInRefusedError."""
    with reading(unit_of_work.engine) as connection:
        found = _find(connection, name, address)
    return _or_raise(found)


def _find(connection: Connection, name: str, address: str) -> Actor | SignInRefusedError:
    possible = possible_name(composed(name))
    return named_person(connection, possible, address) if possible else NotInDirectoryError(name)


def _or_raise(found: Actor | SignInRefusedError) -> Actor:
    if isinstance(found, SignInRefusedError):
        raise found
    return found
