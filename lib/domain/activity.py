"""Rows and filters of the Activity page, which reads the audit trail and the operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from lib.domain.audit import EventAction, Recorded
from lib.domain.clock import Moment
from lib.domain.states import (
    Action,
    ApprovalState,
    Cause,
    Delivery,
    ExistingTokens,
    Origin,
    OwnStep,
    TokenState,
)


class Group(StrEnum):
    """A group of events to list."""

    OPERATIONS = "operations"
    EVERYTHING = "everything"
    CSV_NOT_SENT = "csv-not-sent"
    UNDO = "undo"
    APPROVALS = "approvals"
    OWN_STEPS = "own-steps"
    DOWNLOAD = "download"
    SIGN_INS = "sign-ins"
    REFUSAL = "refusal"
    ACCESS = "access"
    IMPORT = "import"


#: What Activity lists: a group of events, or the operations of one action.
Kind: TypeAlias = Group | Action

#: The events of each kind, in the order of the filter.
KINDS: Mapping[Kind, tuple[Recorded, ...]] = MappingProxyType(
    {
        # An operation may begin with a request for approval, and may end there.
        Group.OPERATIONS: (*Action, EventAction.UNDO, EventAction.ASK_APPROVAL),
        Group.EVERYTHING: (*Action, *OwnStep, *EventAction),
        **{action: (action,) for action in Action},
        Group.CSV_NOT_SENT: (Action.GENERATE,),
        Group.UNDO: (EventAction.UNDO,),
        Group.APPROVALS: (EventAction.ASK_APPROVAL, EventAction.APPROVE, EventAction.REJECT),
        Group.OWN_STEPS: (*OwnStep, EventAction.FIRST_USE),
        # Generate & Export ends with the download of its tokens.
        Group.DOWNLOAD: (EventAction.DOWNLOAD, Action.GENERATE),
        Group.ACCESS: (
            EventAction.GRANT,
            EventAction.REVOKE,
            EventAction.CREDENTIAL,
            EventAction.END_CREDENTIAL,
            EventAction.POLICY,
        ),
        Group.REFUSAL: (EventAction.REFUSAL,),
        Group.SIGN_INS: (EventAction.SIGN_IN, EventAction.SIGN_OUT),
        Group.IMPORT: (EventAction.IMPORT,),
    }
)
#: The subject of these events is a credential of a service, not a person.
ABOUT_CREDENTIALS = frozenset({EventAction.CREDENTIAL, EventAction.END_CREDENTIAL})


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """The filter of the Activity page. Empty text and None mean any.

    `actor` is the username of who did it, `about` of whom it is about, `person` of either. An event
    is about its subject, and an event of an operation is about everybody in the operation's result
    rows. Events match from `since` on (this moment included) until `until` (this moment excluded).
    """

    kind: Kind = Group.OPERATIONS
    person: str = ""
    organization_id: str = ""
    since: Moment | None = None
    until: Moment | None = None
    actor: str = ""
    about: str = ""

    @property
    def actions(self) -> tuple[Recorded, ...]:
        """Return what the events record that match."""
        return KINDS[self.kind]


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
    `asked_at` and `answered_at` belong to the request for approval; None without one. `delivery` is
    what the server saw of the operation's CSV.
    """

    event_id: str
    happened_at: Moment
    action: Recorded
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
    delivery: Delivery

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
    delivery: Delivery


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
