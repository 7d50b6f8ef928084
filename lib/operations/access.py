"""Permission checks, read from the database inside the caller's transaction. Deny by default."""

from sqlalchemy import Connection

from lib.domain import roles
from lib.domain.errors import NotAllowedError
from lib.domain.roles import NOWHERE, Permission, Reach
from lib.store import grant_queries


def require(
    connection: Connection, username: str, permission: Permission, organization_id: str | None
) -> None:
    """Raise NotAllowedError unless `username` has `permission` in the organization.

    `organization_id` None means: in all organizations.
    """
    if not roles.covers(reach_if_any(connection, username, permission), organization_id):
        raise NotAllowedError(username, permission)


def reach(connection: Connection, username: str, permission: Permission) -> Reach:
    """Return the organizations in which `username` has `permission`; None for all of them.

    Raises NotAllowedError when there is none.
    """
    found = reach_if_any(connection, username, permission)
    if found == NOWHERE:
        raise NotAllowedError(username, permission)
    return found


def reach_if_any(connection: Connection, username: str, permission: Permission) -> Reach:
    """Return the organizations in which `username` has `permission`; NOWHERE when there is none."""
    account = grant_queries.find_account(connection, username)
    return roles.reach(account.grants, permission) if account else NOWHERE
