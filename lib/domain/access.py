"""Who acts, and which roles they hold."""

from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.roles import NOWHERE, Grant, Permission, Role, covers, reach


class Actor(NamedTuple):
    """Who acts, and from where. `grants` are for menus only: use cases ask the database again."""

    username: str
    name: str
    grants: frozenset[Grant] = frozenset()
    address: str = ""

    def may(self, permission: Permission, organization_id: str | None = None) -> bool:
        """Tell whether a grant gives this in that organization; None asks for all of them."""
        return covers(reach(self.grants, permission), organization_id)

    def may_somewhere(self, permission: Permission) -> bool:
        """Tell whether a grant gives this in any organization."""
        return reach(self.grants, permission) != NOWHERE


class GrantRow(NamedTuple):
    """A grant as the Access page lists it; `granted_by` is empty for the command line."""

    grant_id: str
    username: str
    name: str
    active: bool
    role: Role
    organization_id: str | None
    organization_name: str | None
    granted_at: Moment
    granted_by: str
