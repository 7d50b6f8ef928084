"""Reads of the directory. Whoever looks is asked for, and only administrators see it."""

from sqlalchemy import Engine

from lib.domain.clock import Clock
from lib.domain.rows import (
    Actor,
    CoverageRow,
    Organization,
    OrganizationListed,
    Service,
    Subscription,
)
from lib.operations.access import require_administrator
from lib.store import directory_queries
from lib.store.directory_queries import ORDERS, OrganizationFilter
from lib.store.engine import reading

__all__ = ["ORDERS", "OrganizationFilter"]


def personas(engine: Engine, users: int) -> list[Actor]:
    """Return who can be signed in as in demo mode: administrators, then `users` people."""
    with reading(engine) as connection:
        return directory_queries.personas(connection, users)


def find_actor(engine: Engine, username: str) -> Actor | None:
    """Return the person named `username`, or None; their role is read from the database."""
    with reading(engine) as connection:
        account = directory_queries.find_account(connection, username)
    if account is None:
        return None
    return Actor(account.username, account.name, account.staff_status == "active")


def services(engine: Engine) -> list[Service]:
    """Return every service, eRecording first. The names of services are no secret."""
    with reading(engine) as connection:
        return directory_queries.services(connection)


def states(engine: Engine, actor: Actor) -> list[str]:
    """Return the states that organizations are in."""
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        return directory_queries.states(connection)


def organization_names(engine: Engine, actor: Actor) -> dict[str, str]:
    """Return the name of every organization by id, in the order of names."""
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        return directory_queries.organization_names(connection)


def list_organizations(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    wanted: OrganizationFilter,
    *,
    order: str,
    offset: int,
    limit: int,
) -> tuple[int, list[OrganizationListed]]:
    """Return how many organizations match, and the `limit` of them from `offset`."""
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        return directory_queries.organizations_page(
            connection, wanted, order, offset, limit, clock()
        )


def open_organization(
    engine: Engine, actor: Actor, organization_id: str
) -> tuple[Organization, list[Subscription]] | None:
    """Return an organization with its subscriptions, eRecording first; None when unknown."""
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        organization = directory_queries.find_organization(connection, organization_id)
        if organization is None:
            return None
        return organization, directory_queries.subscriptions(connection, organization_id)


def read_coverage(
    engine: Engine, clock: Clock, actor: Actor, organization_ids: list[str] | None = None
) -> list[CoverageRow]:
    """Return a row per active organization and subscription; None means all organizations."""
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        return directory_queries.coverage(connection, clock(), organization_ids)
