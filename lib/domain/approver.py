"""Whether an approver's role is old enough for one request (four eyes).

A role that was granted shortly before the request may have been granted for it.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from lib.domain.clock import DAY, Moment

FROM_ANYBODY = DAY
FROM_THE_REQUESTER = 7 * DAY


class ApproverRole(NamedTuple):
    """The grant that makes somebody an approver in one organization.

    `granted_by` is empty for a grant by command, by TOKEN_DESK_ADMINS or by the demo. `counts`
    tells whether the role is old enough.
    """

    granted_by: str
    granted_at: Moment
    counts: bool


def approver_role(
    granted: Iterable[tuple[str, Moment]], asked_at: Moment, requester_side: Collection[str]
) -> ApproverRole | None:
    """Return the oldest grant that counts, else the oldest one; None without a grant.

    `granted` has who granted and when. `requester_side` has the requester, and whom the requester
    gave a role in the days that count.
    """
    roles = [
        ApproverRole(by, at, counts=_counts(by, at, asked_at, requester_side)) for by, at in granted
    ]
    return min(roles, key=lambda role: (not role.counts, role.granted_at), default=None)


def _counts(by: str, at: Moment, asked_at: Moment, requester_side: Collection[str]) -> bool:
    if not by:
        return at <= asked_at
    needed = FROM_THE_REQUESTER if by in requester_side else FROM_ANYBODY
    return asked_at - at >= needed
