"""Rows and filters of the Activity page, which reads the audit trail and the operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from lib.domain.audit import EventAction
from lib.domain.clock import Moment
from lib.domain.states import Action, ApprovalState, Cause, ExistingTokens, Origin, TokenState


class Kind(StrEnum):
    """The kind of event to list. A value that is also an EventAction lists that event only."""

    OPERATIONS = "operations"
    EVERYTHING = "everything"
    REQUEST = "request"
    REMOVE = "remove"
    CANCEL = "cancel"
    GENERATE = "generate"
    UNDO = "undo"
    APPROVALS = "approvals"
    OWN_STEPS = "own-steps"
    DOWNLOAD = "download"
    SIGN_INS = "sign-ins"
    REFUSAL = "refusal"
    ACCESS = "access"
    IMPORT = "import"


_ACTIONS = tuple(EventAction(action.value) for action in Action)

#: The events of each kind. A kind that is missing here lists the event of the same name.
KINDS: Mapping[Kind, tuple[EventAction, ...]] = MappingProxyType(
    {
        # An operation may begin with a request for approval, and may end there.
        Kind.OPERATIONS: (*_ACTIONS, EventAction.UNDO, EventAction.ASK_APPROVAL),
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
#: The subject of these events is a credential of a service, not a person.
ABOUT_CREDENTIALS = frozenset({EventAction.CREDENTIAL, EventAction.END_CREDENTIAL})


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """The filter of the Activity page. Empty text and None mean any.

    `person` is the username of the actor or of the subject. Events match from `since` on (this
    moment included) until `until` (this moment excluded).
    """

    kind: Kind = Kind.OPERATIONS
    person: str = ""
    organization_id: str = ""
    since: Moment | None = None
    until: Moment | None = None

    @property
    def actions(self) -> tuple[EventAction, ...]:
        """Return the actions that match."""
        return KINDS.get(self.kind) or (EventAction(self.kind.value),)


class Progress(StrEnum):
    """How far an operation got. REFUSED: the event is a refusal."""

    DONE = "done"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    REFUSED = "refused"


class ActivityRow(NamedTuple):
    """One event with the names of its organization and service, and the state of its operation.

    `skipped` counts the users whom the operation skipped; None without an operation. `approval`,
    `asked_at` and `answered_at` belong to the request for approval; None without one.
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
        """Return the username of the person whom the event is about; empty for nobody."""
        return "" if self.action in ABOUT_CREDENTIALS else self.subject


class OperationFacts(NamedTuple):
    """One executed operation, with the names of its organization and service.

    `undoes` is the operation that this one undid, and `undone_by` the one that undid this one; both
    are empty for none.
    """

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
    existing_tokens: ExistingTokens
    cause: Cause
    undoes: str
    undone_by: str


class ResultLine(NamedTuple):
    """The result of an operation for one user. The next page begins after `sort_key, member_id`."""

    member_id: str
    sort_key: str
    name: str
    username: str
    email: str
    result: str


class Person(NamedTuple):
    """A person of the directory. `email` is empty when the viewer may not see it."""

    username: str
    name: str
    email: str = ""


class Membership(NamedTuple):
    """The membership of a person in one organization."""

    organization_id: str
    organization_name: str
    member_id: str
    status: str


class EndedToken(NamedTuple):
    """An ended token or request: its origin, and the operations that made and ended it.

    `restored`: an undo made this row, and it revived an earlier one.
    """

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
    restored: bool
