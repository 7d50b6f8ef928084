"""Requests for approval by a second API administrator (four eyes)."""

from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.states import ApprovalState


class Approval(NamedTuple):
    """A request for approval of one Generate & Export, and the answer once there is one."""

    organization_id: str
    organization_name: str
    operation_id: str
    service_id: str
    service_name: str
    requester: str
    asked_at: Moment
    users: int
    plan_digest: str
    reason: str
    state: ApprovalState
    answered_by: str | None
    answered_at: Moment | None
