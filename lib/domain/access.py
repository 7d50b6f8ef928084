"""The person who acts, and the grants that the Access page lists."""

from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.roles import NOWHERE, Grant, Permission, Role, covers, reach


class Actor(NamedTuple):
    """The person who acts, and the network address they act from.

    `grants` are for menus only: each use case reads the grants from the database again.
    """

    username: str
    name: str
    grants: frozenset[Grant] = frozenset()
    address: str = ""

    def may(self, permission: Permission, organization_id: str | None = None) -> bool:
        """Tell whether a grant gives `permission` in this organization; None: in all of them."""
        return covers(reach(self.grants, permission), organization_id)

    def may_somewhere(self, permission: Permission) -> bool:
        """Tell whether a grant gives `permission` in at least one organization."""
        return reach(self.grants, permission) != NOWHERE


class GrantRow(NamedTuple):
    """One line of the Access page. `granted_by` is empty for a grant by command."""

    grant_id: str
    username: str
    name: str
    active: bool
    role: Role
    organization_id: str | None
    organization_name: str | None
    granted_at: Moment
    granted_by: str
