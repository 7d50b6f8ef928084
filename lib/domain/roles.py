"""The permissions of each role. A role has no permission that is not listed here.

These rules are nowhere else: menus, buttons, pages and README's table come from here. Every use
case checks its permission again inside its own transaction (lib.operations.access).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

#: The organizations in which a permission applies. None: all of them. Empty set: none.
Reach: TypeAlias = frozenset[str] | None
NOWHERE: Reach = frozenset()


class Role(StrEnum):
    """A role that can be granted. Users need no role to manage their own tokens."""

    ADMINISTRATOR = "administrator"
    SUPPORT = "support"
    ANALYST = "analyst"


class Permission(StrEnum):
    """A permission that a use case requires. The four actions have the names of Action."""

    READ = "read"
    COVERAGE = "coverage"
    ACTIVITY = "activity"
    EXPORT = "export"
    REQUEST = "request"
    REMOVE = "remove"
    CANCEL = "cancel"
    GENERATE = "generate"
    OFF_BOARD = "off-board"
    RECALL = "recall"
    APPROVE = "approve"
    POLICY = "policy"
    ACCESS = "access"


_READS = {Permission.READ, Permission.COVERAGE, Permission.ACTIVITY}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.ADMINISTRATOR: frozenset(Permission),
        Role.SUPPORT: frozenset(
            _READS
            | {
                Permission.REQUEST,
                Permission.REMOVE,
                Permission.CANCEL,
                Permission.OFF_BOARD,
                Permission.RECALL,
            }
        ),
        Role.ANALYST: frozenset(_READS | {Permission.EXPORT}),
    }
)


class Grant(NamedTuple):
    """A role in one organization, or in all organizations (None)."""

    role: Role
    organization_id: str | None = None


def reach(grants: Iterable[Grant], permission: Permission) -> Reach:
    """Return the organizations in which `grants` give `permission`."""
    giving = [grant for grant in grants if permission in PERMISSIONS[grant.role]]
    if any(grant.organization_id is None for grant in giving):
        return None
    return frozenset(grant.organization_id for grant in giving if grant.organization_id)


def covers(reach: Reach, organization_id: str | None) -> bool:
    """Tell whether `reach` includes this organization; None: all organizations."""
    return reach is None or (organization_id is not None and organization_id in reach)
