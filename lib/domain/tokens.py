"""Tokens and their users, as queries return them."""

from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.lifecycle import holding_of
from lib.domain.states import Holding, Origin, Skip, TokenState


class TokenRow(NamedTuple):
    """One user in the table of the page Recipient API Tokens.

    `expired`: the user has nothing live, and their last token or request expired.
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
    """What a plan knows of one user. The plan is refused if this has changed at the end."""

    pending_token: str | None
    accepted_token: str | None
    skip: Skip | None

    @property
    def holding(self) -> Holding:
        """Return what the user had at the time of the plan."""
        return holding_of(self.pending_token, self.accepted_token)


class UserInScope(NamedTuple):
    """A user with the ids of their live tokens for one service, as an operation reads them."""

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
        """Return what the user has."""
        return holding_of(self.pending_token, self.accepted_token)


class AffectedUser(NamedTuple):
    """A user whom an action changes: what they have, and the last use of it."""

    name: str
    username: str
    holding: Holding
    last_used_at: Moment | None


class OwnToken(NamedTuple):
    """A live token or request of the signed-in user.

    `issued_at` is when the token was made; None for a request. `restored`: an undo made this row,
    at `created_at`, and it revived an earlier one.
    """

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
    issued_at: Moment | None
    restored: bool


class FoundToken(NamedTuple):
    """A live token with its holder.

    `jti` is the id of the token's first row: it stays the same when an undo revives the token.
    `active` tells whether the holder, the organization and the subscription are all active.
    """

    organization_id: str
    service_id: str
    token_id: str
    member_id: str
    username: str
    state: str
    issued_at: Moment
    expires_at: Moment | None
    jti: str
    active: bool


class NamedToken(NamedTuple):
    """A token that a revocation names, live or ended, and its holder."""

    organization_id: str
    service_id: str
    token_id: str
    member_id: str
    username: str


class LeakedToken(NamedTuple):
    """A leaked token: its holder and its state.

    `operation_id` names the operation that exported it. It is empty for a token that began as a
    request and was accepted by its user. `barred`: a recall or revocation named it before.
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
    barred: bool
