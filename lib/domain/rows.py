"""What reads return: frozen rows, never a database object."""

from dataclasses import dataclass
from typing import NamedTuple

from lib.domain.clock import DAY, Moment
from lib.domain.lifecycle import Standing, holding_of
from lib.domain.roles import NOWHERE, Grant, Permission, Role, covers, reach
from lib.domain.states import (
    Action,
    ApprovalState,
    Holding,
    OrganizationType,
    Origin,
    Skip,
    Status,
    TokenState,
)


class Actor(NamedTuple):
    """Who acts, and from where. `grants` are for menus only: use cases ask the database again."""

    username: str
    name: str
    grants: frozenset[Grant] = frozenset()
    address: str = ""

    def may(self, permission: Permission, organization_id: str | None = None) -> bool:
        """Tell whether a grant gives this in that organization; None asks for all of them."""
        return covers(reach(self.grants, permission), organization_id)

    def may_somewhere(self, permission: Permission) -> bool:
        """Tell whether a grant gives this in any organization."""
        return reach(self.grants, permission) != NOWHERE


class Organization(NamedTuple):
    """An organization with its contact facts; empty text where a fact is not known."""

    organization_id: str
    name: str
    type: OrganizationType
    status: Status
    state: str
    contact_person: str
    primary_recorder: str
    address: str
    telephone: str
    fax: str
    web_page: str
    hours: str
    document_types: str


class OrganizationListed(NamedTuple):
    """An organization as the Organizations page lists it; counts are of users in it."""

    organization_id: str
    name: str
    type: OrganizationType
    status: Status
    state: str
    services: int
    users: int
    with_token: int


class Service(NamedTuple):
    """What an organization can subscribe to."""

    service_id: str
    name: str


class Subscription(NamedTuple):
    """One organization's subscription to one service. Dates are ISO text or empty."""

    organization_id: str
    service_id: str
    service_name: str
    status: Status
    since: str
    license_number: str
    plan: str
    starts_on: str
    renews_on: str
    seats: int | None
    notify_recorded: str
    notify_rejected: str
    notify_fees: str
    notify_to: str
    revision: int
    live_tokens: bool


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


class Seen(NamedTuple):
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


class ExpiryPolicy(NamedTuple):
    """For how many days a new token lives; None for no limit. The shorter of the two wins."""

    service_days: int | None = None
    organization_days: int | None = None

    @property
    def days(self) -> int | None:
        """Return the days that count."""
        return min((days for days in self if days is not None), default=None)

    def ends(self, now: Moment) -> Moment | None:
        """Return when a token that is made now ends."""
        return None if self.days is None else now + self.days * DAY


NO_POLICY = ExpiryPolicy()


@dataclass(frozen=True, slots=True)
class Scope:
    """One organization and service, with names for people and the standing of both."""

    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    standing: Standing
    policy: ExpiryPolicy = NO_POLICY


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


class CoverageRow(NamedTuple):
    """Active users of one organization and service, by what they have."""

    organization_id: str
    organization_name: str
    type: OrganizationType
    state: str
    service_id: str
    service_name: str
    accepted: int
    pending: int
    none: int

    @property
    def users(self) -> int:
        """Return how many active users there are."""
        return self.accepted + self.pending + self.none

    @property
    def share(self) -> float | None:
        """Return the share of users with an accepted token, 0 to 1; None without users."""
        return self.accepted / self.users if self.users else None


class Approval(NamedTuple):
    """A request for a second API administrator's approval of one Generate & Export."""

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


class GrantRow(NamedTuple):
    """A grant as the Access page lists it; `granted_by` is empty for the command line."""

    grant_id: str
    username: str
    name: str
    active: bool
    role: Role
    organization_id: str | None
    organization_name: str | None
    granted_at: Moment
    granted_by: str


class ServiceCredential(NamedTuple):
    """What a service signs in with; `created_by` is empty for the command line."""

    client_id: str
    service_id: str
    created_at: Moment
    created_by: str


class NewCredential(NamedTuple):
    """A credential with its secret in clear: for its maker, once. Never shown by repr."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Return what may be logged."""
        return f"NewCredential({self.client_id!r}, …)"


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
