"""Undo: which operations can be undone, and what it does to each member (ruling 13 in README).

These rules are nowhere else. An undo revives the rows that the operation ended, and ends the row
that it made. It changes a member only if the member's live rows are exactly those that the
operation left. A row that revives another one counts as that one, so operations can be undone one
after the other, newest first. Inactivity is no reason to skip.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from lib.domain.activity import OperationFacts
from lib.domain.clock import DAY, Moment
from lib.domain.lifecycle import holding_of
from lib.domain.states import Action, Cause, Holding, Skip, TokenState


class UndoRefusal(StrEnum):
    """Why an operation cannot be undone as a whole."""

    OFF = "off"  # by the setting
    TOO_LATE = "too late"
    UNDONE = "undone already"
    IS_UNDO = "is an undo"
    IS_RECALL = "is a recall"
    OLD_BATCH = "an old batch"


_NEVER = {
    Cause.UNDO: UndoRefusal.IS_UNDO,
    Cause.RECALL: UndoRefusal.IS_RECALL,
    Cause.UNKNOWN: UndoRefusal.OLD_BATCH,
}


@dataclass(frozen=True, slots=True)
class UndoState:
    """Whether an operation can be undone: the reason if not, and until when.

    `undone_by` is the operation that undid it, or empty. `allowed` tells whether the person who
    asks may undo it, in every organization of its batch.
    """

    refusal: UndoRefusal | None
    until: Moment
    undone_by: str
    allowed: bool


def undo_refusal(operation: OperationFacts, undo_days: int, now: Moment) -> UndoRefusal | None:
    """Return why `operation` cannot be undone at `now`, or None."""
    if operation.cause in _NEVER:
        return _NEVER[operation.cause]
    if operation.undone_by:
        return UndoRefusal.UNDONE
    if not undo_days:
        return UndoRefusal.OFF
    return UndoRefusal.TOO_LATE if now > undo_until(operation, undo_days) else None


def undo_until(operation: OperationFacts, undo_days: int) -> Moment:
    """Return the last moment at which `operation` can be undone."""
    return operation.confirmed_at + undo_days * DAY


class LiveRow(NamedTuple):
    """A live row of a member. `first_id` is the first row that it revives, or its own id."""

    token_id: str
    first_id: str
    made_by_operation: str | None
    used: bool


class FormerRow(NamedTuple):
    """A row that a member had before the operation, as it is now.

    `ended_by` is the operation that ended it. `secret`: it has its digest. `moved`: it had one, and
    an undo took it. `expired`: it is past its end.
    """

    token_id: str
    first_id: str
    ended_by: str | None
    secret: bool
    moved: bool
    barred: bool
    expired: bool


class UndoMember(NamedTuple):
    """A member whom the operation changed: the live rows of now, and the rows before it."""

    member_id: str
    name: str
    username: str
    pending: LiveRow | None
    accepted: LiveRow | None
    had_pending: FormerRow | None
    had_accepted: FormerRow | None


class RowFate(NamedTuple):
    """The last state of a token or request, for the reason of a skip."""

    first_id: str
    made_by_operation: str | None
    state: TokenState
    barred: bool


class UndoSnapshot(NamedTuple):
    """What an undo does to a member. The plan is refused if this has changed at the end.

    `pending_token` and `accepted_token` are the live rows. `ends` is the row that the undo ends,
    and `revives` the rows that it revives.
    """

    pending_token: str | None
    accepted_token: str | None
    ends: str | None
    revives: tuple[str, ...]
    skip: Skip | None

    @property
    def holding(self) -> Holding:
        """Return what the member had at the time of the plan."""
        return holding_of(self.pending_token, self.accepted_token)


def creates(operation: OperationFacts) -> bool:
    """Tell whether the operation made a pending row for each member that it changed."""
    return operation.action in {Action.REQUEST, Action.GENERATE}


def has_what_was_left(
    member: UndoMember, operation: OperationFacts, undone: Collection[str]
) -> bool:
    """Tell whether the member's live rows are exactly those that the operations left.

    `undone` has the ids of the operations that are undone together at this place.
    """
    left_pending, left_accepted = (_left(row, undone) for row in _had(member))
    accepted = member.accepted.first_id if member.accepted else None
    pending = member.pending
    if creates(operation):
        made = pending and pending.made_by_operation == operation.operation_id
        return bool(made) and left_pending is None and accepted == left_accepted
    return (pending.first_id if pending else None, accepted) == (left_pending, left_accepted)


def undo_snapshot(
    member: UndoMember,
    operation: OperationFacts,
    undone: Collection[str],
    fates: Iterable[RowFate] | None = None,
) -> UndoSnapshot:
    """Return what undoing `operation` does to `member`, or the reason to skip the member.

    `undone` is that of `has_what_was_left`. `fates` is None for a member for whom that is True;
    else it has the last state of each token and request of the member.
    """
    ended = [row for row in _had(member) if row and row.ended_by == operation.operation_id]
    pending = member.pending.token_id if member.pending else None
    accepted = member.accepted.token_id if member.accepted else None
    skip = _skip(ended)
    if fates is not None and skip is not Skip.BARRED:
        skip = _why_not_left(member, operation, undone, fates)
    makes = creates(operation)
    if skip is None and makes and member.pending and member.pending.used:
        skip = Skip.ACCEPTED_SINCE
    if skip:
        return UndoSnapshot(pending, accepted, None, (), skip)
    back = tuple([row.token_id for row in ended if not row.expired])
    return UndoSnapshot(pending, accepted, pending if makes else None, back, None)


def _skip(ended: Iterable[FormerRow]) -> Skip | None:
    """Return why the rows that the operation ended cannot come back, or None.

    One that expired stays away alone: a lapsed request does not hold back a token.
    """
    expired = None
    for row in ended:
        if row.barred:
            return Skip.BARRED
        expired = expired is not False and row.expired
    if any(row.moved for row in ended):
        return Skip.CHANGED_SINCE
    return Skip.EXPIRED if expired else None


def _why_not_left(
    member: UndoMember,
    operation: OperationFacts,
    undone: Collection[str],
    fates: Iterable[RowFate],
) -> Skip:
    """Return why a member no longer has what the operations left.

    The first row that was left and is gone decides, or is accepted now and was not.
    """
    left = {first_id for row in _had(member) if (first_id := _left(row, undone))}
    left_accepted = _left(member.had_accepted, undone)
    for fate in fates:
        if fate.first_id not in left and fate.made_by_operation != operation.operation_id:
            continue
        if fate.barred:
            return Skip.BARRED
        if fate.state is TokenState.ACCEPTED and fate.first_id != left_accepted:
            return Skip.ACCEPTED_SINCE
        if reason := _REASONS.get(fate.state):
            return reason
    return Skip.CHANGED_SINCE


_REASONS = {TokenState.DECLINED: Skip.DECLINED_SINCE, TokenState.EXPIRED: Skip.EXPIRED}


def _had(member: UndoMember) -> tuple[FormerRow | None, FormerRow | None]:
    return member.had_pending, member.had_accepted


def _left(row: FormerRow | None, undone: Collection[str]) -> str | None:
    """Return the first id of a row that none of the operations `undone` ended."""
    return row.first_id if row and row.ended_by not in undone else None
