"""The lifecycle of tokens: what each action does to the live tokens of a member.

These rules are nowhere else. Source: the manual's API Tokens page, and rulings 2 to 5 in
README where the manual says nothing. Undo has its own rules (lib.domain.undo).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from lib.domain.states import Action, ExistingTokens, Holding, Origin, OwnStep, Skip, TokenState


class ActionVariant(StrEnum):
    """A form of an action that changes tokens in another way, so it is an act of its own."""

    GENERATE_KEEPING = "generate-keeping"


Act: TypeAlias = Action | OwnStep | ActionVariant
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """The new states of a member's live rows, and the origin of the new pending row, if any."""

    pending_becomes: TokenState | None = None
    accepted_becomes: TokenState | None = None
    creates: Origin | None = None


@dataclass(frozen=True, slots=True)
class ActiveFlags:
    """Whether the member, the organization and the subscription are active."""

    user: bool = True
    organization: bool = True
    subscription: bool = True

    def skip_reason(self) -> Skip | None:
        """Return why the member may not get a token, or None.

        The organization comes first, then the subscription, then the member.
        """
        if not self.organization:
            return Skip.INACTIVE_ORGANIZATION
        if not self.subscription:
            return Skip.INACTIVE_SUBSCRIPTION
        return None if self.user else Skip.INACTIVE_USER


_REQUESTED = Change(creates=Origin.REQUEST)
_EXPORTED = Change(creates=Origin.EXPORT)
_EXPORTED_AGAIN = Change(pending_becomes=TokenState.REPLACED, creates=Origin.EXPORT)
_CANCELLED = Change(pending_becomes=TokenState.CANCELLED)
_REMOVED = Change(accepted_becomes=TokenState.REMOVED)
_DECLINED = Change(pending_becomes=TokenState.DECLINED)

#: The action that ends a live row of each state, in the order in which they are executed.
ENDS: Mapping[TokenState, Action] = MappingProxyType(
    {TokenState.ACCEPTED: Action.REMOVE, TokenState.PENDING: Action.CANCEL}
)

#: A pair of holding and act that is missing here is not allowed.
LIFECYCLE: Mapping[tuple[Holding, Act], Change | Skip] = MappingProxyType({
    (Holding.NOTHING, Action.REQUEST): _REQUESTED,
    (Holding.NOTHING, Action.CANCEL): Skip.NOTHING_PENDING,
    (Holding.NOTHING, Action.REMOVE): Skip.NO_TOKEN,
    (Holding.NOTHING, Action.GENERATE): _EXPORTED,
    (Holding.NOTHING, ActionVariant.GENERATE_KEEPING): _EXPORTED,
    (Holding.PENDING, Action.REQUEST): Skip.ALREADY_PENDING,
    (Holding.PENDING, OwnStep.ACCEPT): Change(pending_becomes=TokenState.ACCEPTED),
    (Holding.PENDING, OwnStep.DECLINE): _DECLINED,
    (Holding.PENDING, Action.CANCEL): _CANCELLED,
    (Holding.PENDING, Action.REMOVE): Skip.NO_TOKEN,
    (Holding.PENDING, Action.GENERATE): _EXPORTED_AGAIN,
    (Holding.PENDING, ActionVariant.GENERATE_KEEPING): _EXPORTED_AGAIN,
    (Holding.ACCEPTED, Action.REQUEST): _REQUESTED,
    (Holding.ACCEPTED, Action.CANCEL): Skip.NOTHING_PENDING,
    (Holding.ACCEPTED, Action.REMOVE): _REMOVED,
    (Holding.ACCEPTED, Action.GENERATE): Change(
        accepted_becomes=TokenState.REPLACED, creates=Origin.EXPORT
    ),
    (Holding.ACCEPTED, ActionVariant.GENERATE_KEEPING): _EXPORTED,
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
    (Holding.BOTH, ActionVariant.GENERATE_KEEPING): _EXPORTED_AGAIN,
})  # fmt: skip

#: Acts that give a user a token. They need active flags; ending a token is always allowed.
HANDS_OUT: frozenset[Act] = frozenset(
    {Action.REQUEST, Action.GENERATE, ActionVariant.GENERATE_KEEPING, OwnStep.ACCEPT}
)


def act_of(action: Action, existing_tokens: ExistingTokens) -> Act:
    """Return the act of `action`. Only Generate & Export differs by `existing_tokens`."""
    if action is Action.GENERATE and existing_tokens is ExistingTokens.KEEP:
        return ActionVariant.GENERATE_KEEPING
    return action


def decide(holding: Holding, act: Act, active_flags: ActiveFlags) -> Change | Skip:
    """Return what `act` does to a member who has `holding`, or the reason to skip the member.

    Raises KeyError for a pair that is missing in LIFECYCLE.
    """
    inactive = active_flags.skip_reason() if act in HANDS_OUT else None
    return inactive or LIFECYCLE[holding, act]


def holding_of(pending: str | None, accepted: str | None) -> Holding:
    """Return what a member has, given the ids of the live pending and accepted rows."""
    if pending:
        return Holding.BOTH if accepted else Holding.PENDING
    return Holding.ACCEPTED if accepted else Holding.NOTHING


def ending(act: Act) -> Change:
    """Return the new states that `act` gives to live rows of any member, for set-based SQL.

    An act always ends rows of one state in the same way. Raises ValueError if LIFECYCLE says
    otherwise.
    """
    changes = [c for (_, a), c in LIFECYCLE.items() if a is act and isinstance(c, Change)]
    return Change(
        _only({c.pending_becomes for c in changes} - {None}),
        _only({c.accepted_becomes for c in changes} - {None}),
        _only({c.creates for c in changes} - {None}),
    )


def _only(values: set[_T | None]) -> _T | None:
    if len(values) > 1:
        msg = f"one act ends rows in several ways: {values}"
        raise ValueError(msg)
    return next(iter(values), None)
