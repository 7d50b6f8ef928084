"""Bulk operations: the place they act on, and what they did."""

from dataclasses import dataclass
from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.expiry import NO_POLICY, ExpiryPolicy
from lib.domain.lifecycle import ActiveFlags
from lib.domain.states import Action, Holding, Skip


@dataclass(frozen=True, slots=True)
class Scope:
    """One organization and service, with names for people and the standing of both."""

    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    active_flags: ActiveFlags
    policy: ExpiryPolicy = NO_POLICY


class SkippedUser(NamedTuple):
    """A user whom an operation leaves alone, and why."""

    name: str
    username: str
    reason: Skip


class ChangedUser(NamedTuple):
    """A user whose tokens changed between the confirmations."""

    name: str
    username: str
    was: Holding
    now: Holding


class ResultRow(NamedTuple):
    """What an operation did to one user; `result` is `done` or the reason of the skip."""

    name: str
    username: str
    email: str
    result: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one operation did. Counts are users; `csv_*` are empty unless tokens were exported."""

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
