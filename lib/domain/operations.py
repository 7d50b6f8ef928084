"""Bulk operations: their scope and their results."""

from dataclasses import dataclass
from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.expiry import NO_POLICY, ExpiryPolicy
from lib.domain.lifecycle import ActiveFlags
from lib.domain.states import Action, Cause, Delivery, ExistingTokens, Holding, Skip


@dataclass(frozen=True, slots=True)
class Scope:
    """One organization and service, with their names, active flags and expiry policy."""

    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    active_flags: ActiveFlags
    policy: ExpiryPolicy = NO_POLICY


class Batch(NamedTuple):
    """What an operation belongs to: its cause, and the id that the operations of a batch share."""

    cause: Cause = Cause.BULK
    batch_id: str = ""


NO_BATCH = Batch()


class SkippedUser(NamedTuple):
    """A user whom an operation skips, and the reason."""

    name: str
    username: str
    reason: Skip


class ChangedUser(NamedTuple):
    """A user whose tokens changed between the first and the last confirmation."""

    name: str
    username: str
    was: Holding
    now: Holding


class ResultRow(NamedTuple):
    """The result of an operation for one user: `done`, or the value of a Skip."""

    name: str
    username: str
    email: str
    result: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of one operation.

    `changed` counts users. `csv_name` and `csv_sha256` are empty unless tokens were exported;
    `delivery` is what the server had seen of that file when the receipt was read. An undo has the
    action of the operation that it undid, whose id is `undoes`.
    """

    operation_id: str
    action: Action
    actor: str
    organization_id: str
    service_id: str
    confirmed_at: Moment
    changed: int
    csv_name: str
    csv_sha256: str
    skipped: tuple[SkippedUser, ...]
    existing_tokens: ExistingTokens = ExistingTokens.STOP
    cause: Cause = Cause.BULK
    undoes: str = ""
    delivery: Delivery = Delivery.NONE
