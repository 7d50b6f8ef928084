"""Reads of the directory. Whoever looks is asked for, and sees the organizations they may."""

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import Clock
from lib.domain.coverage import CoverageRow
from lib.domain.directory import Organization, OrganizationListed, Service, Subscription
from lib.domain.roles import Permission
from lib.operations.access import reach, require
from lib.store import directory_queries, grant_queries
from lib.store.directory_queries import ORDERS, OrganizationFilter
from lib.store.engine import reading

__all__ = ["ORDERS", "OrganizationFilter"]


def personas(engine: Engine, staff: int, users: int) -> list[Actor]:
    """Return who can be signed in as in demo mode: `staff` people with a role, then `users`."""
    with reading(engine) as connection:
        return directory_queries.personas(connection, staff, users)


def find_actor(engine: Engine, username: str) -> Actor | None:
    """Return the person named `username` with what is granted to them now.

    None when the directory has nobody of that name, or when they are inactive.
    """
    with reading(engine) as connection:
        account = grant_queries.find_account(connection, username)
    if account is None or not account.active:
        return None
    return Actor(account.username, account.name, account.grants)


def services(engine: Engine) -> list[Service]:
    """Return every service, eRecording first. The names of services are no secret."""
    with reading(engine) as connection:
        return directory_queries.services(connection)


def states(engine: Engine, actor: Actor) -> list[str]:
    """Return the states that the actor's organizations are in."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        return directory_queries.states(connection, within)


def organization_names(engine: Engine, actor: Actor) -> dict[str, str]:
    """Return the name of each of the actor's organizations by id, in the order of names."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        return directory_queries.organization_names(connection, within)


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
    """Return how many of the actor's organizations match, and the `limit` from `offset`."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        return directory_queries.organizations_page(
            connection, wanted, within, order, offset, limit, clock()
        )


def open_organization(
    engine: Engine, actor: Actor, organization_id: str
) -> tuple[Organization, list[Subscription]] | None:
    """Return an organization with its subscriptions, eRecording first; None when unknown.

    Raises NotAllowed for one that the actor may not see; whoever asks is told no more than that.
    """
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        organization = directory_queries.find_organization(connection, organization_id)
        if organization is None:
            return None
        return organization, directory_queries.subscriptions(connection, organization_id)


def read_coverage(engine: Engine, clock: Clock, actor: Actor) -> list[CoverageRow]:
    """Return a row per active organization of the actor's and subscription."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.COVERAGE)
        return directory_queries.coverage(connection, clock(), within)


def read_organization_coverage(
    engine: Engine, clock: Clock, actor: Actor, organization_id: str
) -> list[CoverageRow]:
    """Return a row per subscription of one active organization. Raises NotAllowed."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return directory_queries.coverage(connection, clock(), [organization_id])
