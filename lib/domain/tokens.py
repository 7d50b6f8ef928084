"""Tokens and their users, as reads return them."""

from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.lifecycle import holding_of
from lib.domain.states import Holding, Origin, Skip, TokenState


class TokenRow(NamedTuple):
    """A user's line in the table of the API Tokens page.

    `expired`: nothing is live, and what there was last came to its time.
    """

    member_id: str
    name: str
    username: str
    email: str
    accepted: bool
    pending: bool
    expired: bool
    requested_at: Moment | None
    last_used_at: Moment | None
    expires_at: Moment | None


class UserSnapshot(NamedTuple):
    """What the plan saw of one user: any difference at the last confirmation refuses it."""

    pending_token: str | None
    accepted_token: str | None
    skip: Skip | None

    @property
    def holding(self) -> Holding:
        """Return the name of what the user had live."""
        return holding_of(self.pending_token, self.accepted_token)


class UserInScope(NamedTuple):
    """A user with what they have live for one service, as an operation reads it."""

    member_id: str
    name: str
    username: str
    email: str
    status: str
    pending_token: str | None
    accepted_token: str | None
    last_used_at: Moment | None

    @property
    def holding(self) -> Holding:
        """Return the name of what the user has live."""
        return holding_of(self.pending_token, self.accepted_token)


class OwnToken(NamedTuple):
    """A live token or request of the person who is signed in."""

    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    token_id: str
    state: TokenState
    origin: Origin
    hint: str
    created_at: Moment
    last_used_at: Moment | None
    expires_at: Moment | None


class FoundToken(NamedTuple):
    """A live token row with its holder. `active`: holder, organization and subscription are."""

    organization_id: str
    service_id: str
    token_id: str
    member_id: str
    username: str
    state: str
    issued_at: Moment
    expires_at: Moment | None
    active: bool


class LeakedToken(NamedTuple):
    """A token that somebody holds who should not: whose it is, and whether it still works.

    `operation_id` is empty for a token that its user accepted from a request.
    """

    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    member_id: str
    name: str
    username: str
    token_id: str
    state: TokenState
    hint: str
    operation_id: str
