"""Which role may do what: the only home of these rules. A pair that is missing is refused.

Menus, buttons, pages and README's table come from here; every use case asks again inside its own
transaction (lib.operations.access).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

#: Organizations where something is allowed: None is every organization, the empty set none.
Reach: TypeAlias = frozenset[str] | None
NOWHERE: Reach = frozenset()


class Role(StrEnum):
    """What a person can be granted. Everybody looks after their own tokens without a role."""

    ADMINISTRATOR = "administrator"
    SUPPORT = "support"
    ANALYST = "analyst"


class Permission(StrEnum):
    """What a use case asks for. The four actions have the names they have in Action."""

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
    """A role of one person: in one organization, or in all of them (None)."""

    role: Role
    organization_id: str | None = None


def reach(grants: Iterable[Grant], permission: Permission) -> Reach:
    """Return the organizations in which `grants` give `permission`."""
    giving = [grant for grant in grants if permission in PERMISSIONS[grant.role]]
    if any(grant.organization_id is None for grant in giving):
        return None
    return frozenset(grant.organization_id for grant in giving if grant.organization_id)


def covers(reach: Reach, organization_id: str | None) -> bool:
    """Tell whether `reach` has this organization in it; None asks for all organizations."""
    return reach is None or (organization_id is not None and organization_id in reach)
