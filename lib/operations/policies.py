"""Expiry policies, set on the License page. They apply to tokens that are made later."""

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction
from lib.domain.errors import InvalidExpiryError, UnknownPlaceError
from lib.domain.expiry import ExpiryPolicy
from lib.domain.roles import Permission
from lib.operations.access import require
from lib.operations.unit_of_work import UnitOfWork
from lib.store import policy_queries
from lib.store.engine import reading

FEWEST_DAYS, MOST_DAYS = 1, 730


def read_policy(
    engine: Engine, actor: Actor, organization_id: str, service_id: str
) -> ExpiryPolicy:
    """Return the policy for new tokens of one organization and service. Raises NotAllowedError."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return policy_queries.read(connection, organization_id, service_id)


def set_service_policy(
    unit_of_work: UnitOfWork, actor: Actor, service_id: str, days: int | None
) -> None:
    """Set the lifetime of new tokens of a service, in all organizations; None for no limit.

    Raises NotAllowedError unless the actor has the permission for all organizations;
    InvalidExpiryError unless `days` is from 1 to 730; UnknownPlaceError.
    """
    event = _event(actor, days)._replace(service_id=service_id)
    with unit_of_work.transaction(event) as connection:
        require(connection, actor.username, Permission.POLICY, None)
        _check(days)
        if not policy_queries.set_for_service(connection, service_id, days):
            raise UnknownPlaceError("", service_id)
        unit_of_work.record(connection, event)


def set_organization_policy(
    unit_of_work: UnitOfWork, actor: Actor, organization_id: str, days: int | None
) -> None:
    """Set the lifetime of new tokens of an organization, for all services; None for no limit.

    Raises NotAllowedError; InvalidExpiryError unless `days` is from 1 to 730; UnknownPlaceError.
    """
    event = _event(actor, days)._replace(organization_id=organization_id)
    with unit_of_work.transaction(event) as connection:
        require(connection, actor.username, Permission.POLICY, organization_id)
        _check(days)
        if not policy_queries.set_for_organization(connection, organization_id, days):
            raise UnknownPlaceError(organization_id, "")
        unit_of_work.record(connection, event)


def _check(days: int | None) -> None:
    if days is not None and not FEWEST_DAYS <= days <= MOST_DAYS:
        raise InvalidExpiryError(days)


def _event(actor: Actor, days: int | None) -> Event:
    detail = "no limit" if days is None else f"{days} days"
    return Event(EventAction.POLICY, actor.username, actor.address, detail=detail)
