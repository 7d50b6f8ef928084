"""Who may do what, asked of the database inside the transaction that does it. Deny by default."""

from sqlalchemy import Connection

from lib.domain import roles
from lib.domain.errors import NotAllowedError
from lib.domain.roles import NOWHERE, Permission, Reach
from lib.store import grant_queries


def require(
    connection: Connection, username: str, permission: Permission, organization_id: str | None
) -> None:
    """Raise NotAllowed unless `username` has this in that organization; None asks for all."""
    if not roles.covers(reach_if_any(connection, username, permission), organization_id):
        raise NotAllowedError(username, permission)


def reach(connection: Connection, username: str, permission: Permission) -> Reach:
    """Return where `username` has `permission`. Raises NotAllowed when that is nowhere."""
    found = reach_if_any(connection, username, permission)
    if found == NOWHERE:
        raise NotAllowedError(username, permission)
    return found


def reach_if_any(connection: Connection, username: str, permission: Permission) -> Reach:
    """Return where `username` has `permission`, which may be nowhere."""
    account = grant_queries.find_account(connection, username)
    return roles.reach(account.grants, permission) if account else NOWHERE
