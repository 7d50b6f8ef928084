"""Reads for the API Tokens page. Each is cheap, whatever the size of the organization."""

from collections.abc import Sequence

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import Clock
from lib.domain.errors import UnknownPlaceError
from lib.domain.plan import Plan
from lib.domain.roles import Permission
from lib.domain.tokens import AffectedUser, TokenRow
from lib.operations.access import require
from lib.store import operation_queries, token_queries
from lib.store.engine import reading


def read_revision(engine: Engine, actor: Actor, organization_id: str, service_id: str) -> int:
    """Return a number that rises when these tokens or users change.

    Raises NotAllowedError and UnknownPlaceError.
    """
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        revision = operation_queries.revision(connection, organization_id, service_id)
    if revision is None:
        raise UnknownPlaceError(organization_id, service_id)
    return revision


def match_users(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    organization_id: str,
    service_id: str,
    search: str,
    holding: str,
) -> list[str]:
    """Return the ids of the members that match, in table order.

    `search` is part of a name, username or e-mail. `holding` is a key of FILTERS. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return token_queries.matching_ids(
            connection, organization_id, service_id, clock(), search=search, holding=holding
        )


def count_users(engine: Engine, actor: Actor, organization_id: str) -> int:
    """Return the number of users of the organization, of any status. Raises NotAllowedError."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return token_queries.count_members(connection, organization_id)


def read_rows(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    organization_id: str,
    service_id: str,
    member_ids: Sequence[str],
) -> list[TokenRow]:
    """Return the table rows of `member_ids`, in table order. Raises NotAllowedError."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return token_queries.table_rows(
            connection, organization_id, service_id, clock(), member_ids
        )


def affected_users(
    engine: Engine, clock: Clock, actor: Actor, plan: Plan, search: str, limit: int
) -> tuple[list[AffectedUser], int]:
    """Return up to `limit` users whom `plan` changes, the last used first, and their number.

    `search` is part of a name, username or e-mail. Raises NotAllowedError.
    """
    organization_id, service_id = plan.scope.organization_id, plan.scope.service_id
    changed = [member_id for member_id, seen in plan.seen.items() if not seen.skip]
    with reading(engine) as connection:
        require(connection, actor.username, Permission.READ, organization_id)
        return token_queries.affected_users(
            connection,
            organization_id,
            service_id,
            clock(),
            changed,
            search=search,
            limit=limit,
        )
