"""What each act does to what a member has live: the only home of these rules.

Source: the manual's API Tokens page; where it is silent, rulings 2 to 5 in README.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from lib.domain.states import Action, Holding, Origin, OwnStep, Skip, TokenState

Act: TypeAlias = Action | OwnStep
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a member's live rows, and the pending row that is made, if any."""

    pending_becomes: TokenState | None = None
    accepted_becomes: TokenState | None = None
    creates: Origin | None = None


@dataclass(frozen=True, slots=True)
class ActiveFlags:
    """Whether the member, the organization and the subscription are active."""

    user: bool = True
    organization: bool = True
    subscription: bool = True

    def fault(self) -> Skip | None:
        """Return the first reason why no token may be handed out, or None."""
        if not self.organization:
            return Skip.INACTIVE_ORGANIZATION
        if not self.subscription:
            return Skip.INACTIVE_SUBSCRIPTION
        return None if self.user else Skip.INACTIVE_USER


_ASKED = Change(creates=Origin.REQUEST)
_CANCELLED = Change(pending_becomes=TokenState.CANCELLED)
_REMOVED = Change(accepted_becomes=TokenState.REMOVED)
_DECLINED = Change(pending_becomes=TokenState.DECLINED)

#: Which action ends a live row, in the order in which both are done.
ENDS: Mapping[TokenState, Action] = MappingProxyType(
    {TokenState.ACCEPTED: Action.REMOVE, TokenState.PENDING: Action.CANCEL}
)

#: A pair that is missing here is refused.
LIFECYCLE: Mapping[tuple[Holding, Act], Change | Skip] = MappingProxyType({
    (Holding.NOTHING, Action.REQUEST): _ASKED,
    (Holding.NOTHING, Action.CANCEL): Skip.NOTHING_PENDING,
    (Holding.NOTHING, Action.REMOVE): Skip.NO_TOKEN,
    (Holding.NOTHING, Action.GENERATE): Change(creates=Origin.EXPORT),
    (Holding.PENDING, Action.REQUEST): Skip.ALREADY_PENDING,
    (Holding.PENDING, OwnStep.ACCEPT): Change(pending_becomes=TokenState.ACCEPTED),
    (Holding.PENDING, OwnStep.DECLINE): _DECLINED,
    (Holding.PENDING, Action.CANCEL): _CANCELLED,
    (Holding.PENDING, Action.REMOVE): Skip.NO_TOKEN,
    (Holding.PENDING, Action.GENERATE): Change(
        pending_becomes=TokenState.REPLACED, creates=Origin.EXPORT
    ),
    (Holding.ACCEPTED, Action.REQUEST): _ASKED,
    (Holding.ACCEPTED, Action.CANCEL): Skip.NOTHING_PENDING,
    (Holding.ACCEPTED, Action.REMOVE): _REMOVED,
    (Holding.ACCEPTED, Action.GENERATE): Change(
        accepted_becomes=TokenState.REPLACED, creates=Origin.EXPORT
    ),
    (Holding.BOTH, Action.REQUEST): Skip.ALREADY_PENDING,
    (Holding.BOTH, OwnStep.ACCEPT): Change(
        pending_becomes=TokenState.ACCEPTED, accepted_becomes=TokenState.REPLACED
    ),
    (Holding.BOTH, OwnStep.DECLINE): _DECLINED,
    (Holding.BOTH, Action.CANCEL): _CANCELLED,
    (Holding.BOTH, Action.REMOVE): _REMOVED,
    (Holding.BOTH, Action.GENERATE): Change(
        pending_becomes=TokenState.REPLACED,
        accepted_becomes=TokenState.REPLACED,
        creates=Origin.EXPORT,
    ),
})  # fmt: skip

#: Acts that hand out a token: refused where something is not active. Ending one is always allowed.
HANDS_OUT: frozenset[Act] = frozenset({Action.REQUEST, Action.GENERATE, OwnStep.ACCEPT})


def decide(holding: Holding, act: Act, active_flags: ActiveFlags) -> Change | Skip:
    """Return what `act` does to a member who has `holding`, or the reason why it is skipped.

    Raises KeyError for a pair that the lifecycle does not know.
    """
    fault = active_flags.fault() if act in HANDS_OUT else None
    return fault or LIFECYCLE[holding, act]


def holding_of(pending: str | None, accepted: str | None) -> Holding:
    """Return the name of what a member has live, given the ids of the live rows."""
    if pending:
        return Holding.BOTH if accepted else Holding.PENDING
    return Holding.ACCEPTED if accepted else Holding.NOTHING


def ending(action: Action) -> Change:
    """Return what `action` makes of live rows, whoever has them, for set-based SQL.

    Well defined because an action never ends the same kind of row in two ways: two answers
    raise ValueError.
    """
    changes = [c for (_, act), c in LIFECYCLE.items() if act is action and isinstance(c, Change)]
    return Change(
        _only({c.pending_becomes for c in changes} - {None}),
        _only({c.accepted_becomes for c in changes} - {None}),
        _only({c.creates for c in changes} - {None}),
    )


def _only(values: set[_T | None]) -> _T | None:
    if len(values) > 1:
        msg = f"one action ends rows in several ways: {values}"
        raise ValueError(msg)
    return next(iter(values), None)
