"""What people did, as the Activity page reads it back from the audit trail and the operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from lib.domain.audit import EventAction
from lib.domain.clock import Moment
from lib.domain.states import Action, ApprovalState, Origin, TokenState


class Kind(StrEnum):
    """Which events are shown. The values that are also an EventAction's show that one alone."""

    OPERATIONS = "operations"
    EVERYTHING = "everything"
    REQUEST = "request"
    REMOVE = "remove"
    CANCEL = "cancel"
    GENERATE = "generate"
    APPROVALS = "approvals"
    OWN_STEPS = "own-steps"
    DOWNLOAD = "download"
    SIGN_INS = "sign-ins"
    REFUSAL = "refusal"
    ACCESS = "access"
    IMPORT = "import"


_ACTIONS = tuple(EventAction(action.value) for action in Action)

#: The events of each kind; those that are missing here show the one of their name.
KINDS: Mapping[Kind, tuple[EventAction, ...]] = MappingProxyType(
    {
        # A request for approval is the beginning of an operation, which may never come.
        Kind.OPERATIONS: (*_ACTIONS, EventAction.ASK_APPROVAL),
        Kind.EVERYTHING: tuple(EventAction),
        Kind.APPROVALS: (EventAction.ASK_APPROVAL, EventAction.APPROVE, EventAction.REJECT),
        Kind.OWN_STEPS: (EventAction.ACCEPT, EventAction.DECLINE, EventAction.FIRST_USE),
        Kind.SIGN_INS: (EventAction.SIGN_IN, EventAction.SIGN_OUT),
        Kind.ACCESS: (
            EventAction.GRANT,
            EventAction.REVOKE,
            EventAction.CREDENTIAL,
            EventAction.END_CREDENTIAL,
            EventAction.POLICY,
        ),
    }
)
#: Their subject is a service's credential, not a person.
ABOUT_CREDENTIALS = frozenset({EventAction.CREDENTIAL, EventAction.END_CREDENTIAL})


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What the Activity page looks for; empty text and None mean any.

    `person` is a username, who did it or whom it is about. From `since` on, and before `until`.
    """

    kind: Kind = Kind.OPERATIONS
    person: str = ""
    organization_id: str = ""
    since: Moment | None = None
    until: Moment | None = None

    @property
    def actions(self) -> tuple[EventAction, ...]:
        """Return the events that are looked for."""
        return KINDS.get(self.kind) or (EventAction(self.kind.value),)


class Progress(StrEnum):
    """How far an operation is, or that something was refused."""

    DONE = "done"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    REFUSED = "refused"


class ActivityRow(NamedTuple):
    """One event with the names of its place, and what became of its operation.

    `skipped` is None without an operation; the last three are of a request for approval.
    """

    event_id: str
    happened_at: Moment
    action: EventAction
    actor: str
    actor_name: str
    address: str
    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    operation_id: str
    subject: str
    users: int
    reason: str
    detail: str
    skipped: int | None
    approval: ApprovalState | None
    asked_at: Moment | None
    answered_at: Moment | None

    @property
    def about(self) -> str:
        """Return the username of the person it is about; empty for nobody."""
        return "" if self.action in ABOUT_CREDENTIALS else self.subject


class OperationFacts(NamedTuple):
    """One operation that was carried out, with the names of its place."""

    organization_id: str
    organization_name: str
    operation_id: str
    service_id: str
    service_name: str
    action: Action
    actor: str
    actor_name: str
    confirmed_at: Moment
    changed: int
    skipped: int
    csv_name: str
    csv_sha256: str
    batch_id: str


class ResultLine(NamedTuple):
    """What an operation did to one user; `sort_key` and `member_id` say where the next begin."""

    member_id: str
    sort_key: str
    name: str
    username: str
    email: str
    result: str


class Person(NamedTuple):
    """Somebody of the directory; `email` is empty for whoever may not see it."""

    username: str
    name: str
    email: str = ""


class Membership(NamedTuple):
    """A person in one organization."""

    organization_id: str
    organization_name: str
    member_id: str
    status: str


class TokenStory(NamedTuple):
    """A token or request that is over: how it began, and how and by which operation it ended."""

    token_id: str
    organization_id: str
    organization_name: str
    service_name: str
    hint: str
    origin: Origin
    created_at: Moment
    accepted_at: Moment | None
    last_used_at: Moment | None
    state: TokenState
    ended_at: Moment
    made_by_operation: str
    made_by: str
    ended_by_operation: str
    ended_by: str
