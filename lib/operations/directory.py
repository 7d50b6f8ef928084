"""Reads of the directory, limited to the organizations in which the actor has the permission."""

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import Clock
from lib.domain.coverage import CoverageRow
from lib.domain.directory import Organization, OrganizationListed, Service, Subscription
from lib.domain.roles import Permission
from lib.operations.access import reach, require
from lib.store import coverage_queries, directory_queries, grant_queries
from lib.store.directory_queries import ORDERS, OrganizationFilter
from lib.store.engine import reading

__all__ = ["ORDERS", "OrganizationFilter"]


def personas(engine: Engine, staff: int, users: int) -> list[Actor]:
    """Return the people for demo sign-in: up to `staff` with a role, then up to `users` without."""
    with reading(engine) as connection:
        return directory_queries.personas(connection, staff, users)


def find_actor(engine: Engine, username: str) -> Actor | None:
    """Return the active person with this username and their current grants; else None."""
    with reading(engine) as connection:
        account = grant_queries.find_account(connection, username)
    if account is None or not account.active:
        return None
    return Actor(account.username, account.name, account.grants)


def services(engine: Engine) -> list[Service]:
    """Return every service, eRecording first. No permission is checked: names are no secret."""
    with reading(engine) as connection:
        return directory_queries.services(connection)


def states(engine: Engine, actor: Actor) -> list[str]:
    """Return the US states of the actor's organizations. Raises NotAllowedError."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        return directory_queries.states(connection, within)


def organization_names(engine: Engine, actor: Actor) -> dict[str, str]:
    """Return names of the actor's organizations by id, sorted by name. Raises NotAllowedError."""
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
    """Return how many of the actor's organizations match, and `limit` of them from `offset`.

    `order` is a key of ORDERS. Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        return directory_queries.organizations_page(
            connection, wanted, within, order, offset, limit, clock()
        )


def open_organization(
    engine: Engine, actor: Actor, organization_id: str
) -> tuple[Organization, list[Subscription]] | None:
    """Return an organization with its subscriptions, eRecording first; None when unknown.

    Raises NotAllowedError when the actor may not see it. The error does not tell whether it exists.
    """
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        organization = directory_queries.find_organization(connection, organization_id)
        if organization is None:
            return None
        return organization, directory_queries.subscriptions(connection, organization_id)


def read_coverage(engine: Engine, clock: Clock, actor: Actor) -> list[CoverageRow]:
    """Return a row for each active organization of the actor and each of its subscriptions.

    Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.COVERAGE)
        return coverage_queries.coverage(connection, clock(), within)


def read_organization_coverage(
    engine: Engine, clock: Clock, actor: Actor, organization_id: str
) -> list[CoverageRow]:
    """Return a row for each subscription of one active organization. Raises NotAllowedError."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return coverage_queries.coverage(connection, clock(), [organization_id])
