"""The minimum age of an approver's role (four eyes).

A role that was granted shortly before the request may have been granted only to approve it.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from lib.domain.clock import DAY, Moment

MIN_AGE = DAY
MIN_AGE_FROM_REQUESTER_SIDE = 7 * DAY


class ApproverRole(NamedTuple):
    """The grant that makes somebody an approver in one organization.

    `granted_by` is a username; it is empty for a grant by command, by TOKEN_DESK_ADMINS or by the
    demo. `old_enough` tells whether the role is old enough to approve the request.
    """

    granted_by: str
    granted_at: Moment
    old_enough: bool


def approver_role(
    granted: Iterable[tuple[str, Moment]], asked_at: Moment, requester_side: Collection[str]
) -> ApproverRole | None:
    """Return the oldest grant that is old enough, else the oldest grant; None without a grant.

    `granted` holds pairs of (username of the grantor, moment of the grant). `requester_side` holds
    the requester and everybody to whom the requester recently granted a role.

    A grant must be a day older than the request, or seven days when somebody of `requester_side`
    granted it. A grant by command must only be as old as the request.
    """
    roles = [
        ApproverRole(by, at, old_enough=_is_old_enough(by, at, asked_at, requester_side))
        for by, at in granted
    ]
    return min(roles, key=lambda role: (not role.old_enough, role.granted_at), default=None)


def _is_old_enough(by: str, at: Moment, asked_at: Moment, requester_side: Collection[str]) -> bool:
    if not by:
        return at <= asked_at
    needed = MIN_AGE_FROM_REQUESTER_SIDE if by in requester_side else MIN_AGE
    return asked_at - at >= needed
