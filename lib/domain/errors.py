"""Errors. Each keeps its facts as attributes; `lib.wording` makes the sentences."""

from dataclasses import dataclass
from typing import ClassVar

from lib.domain.claims import ClaimFault
from lib.domain.operations import ChangedUser
from lib.domain.roles import Permission
from lib.domain.undo import UndoRefusal


class DeskError(Exception):
    """Base class of all errors of Token Desk. No error carries a token.

    `code` is the word that the audit trail stores. It stays the same when a class is renamed.
    """

    code: ClassVar[str]


@dataclass
class NotAllowedError(DeskError):
    """The person does not have `permission`, or not in this organization."""

    code = "NotAllowed"

    username: str
    permission: Permission


@dataclass
class OutOfReachError(NotAllowedError):
    """The person has `permission`, but not in `organizations` (a number) of the batch."""

    code = "OutOfReach"

    organizations: int


@dataclass
class UnknownOperationError(DeskError):
    """No operation with this id was executed."""

    code = "UnknownOperation"

    operation_id: str


@dataclass
class NotUndoableError(DeskError):
    """The operation cannot be undone, or not any more; `refusal` says why."""

    code = "NotUndoable"

    refusal: UndoRefusal


@dataclass
class UnknownPlaceError(DeskError):
    """There is no such organization, or it has no subscription to this service."""

    code = "UnknownPlace"

    organization_id: str
    service_id: str


@dataclass
class SelectionChangedError(DeskError):
    """Some selected ids belong to no user of this organization; `missing` is their number."""

    code = "SelectionGone"

    missing: int


@dataclass
class NothingToDoError(DeskError):
    """The plan changes no user, so there is nothing to confirm."""

    code = "NothingToDo"


@dataclass
class PlanOutdatedError(DeskError):
    """The tokens or the status of selected users changed since the first confirmation."""

    code = "PlanOutdated"

    changed: tuple[ChangedUser, ...]


@dataclass
class TokenNotPendingError(DeskError):
    """The token is not pending any more: it was accepted, declined or ended elsewhere."""

    code = "TokenGone"


@dataclass
class StepRefusedError(DeskError):
    """The lifecycle refuses a user's own step; `reason` is the value of a Skip."""

    code = "Refused"

    reason: str


class AuditNotWrittenError(DeskError):
    """The event could not be written to the audit trail, so nothing was changed."""

    code = "AuditUnwritten"


@dataclass
class UnknownPersonError(DeskError):
    """The directory has no account with this username."""

    code = "UnknownPerson"

    username: str


class ApprovalMissingError(DeskError):
    """This many tokens need the approval of a second API administrator, which is missing."""

    code = "ApprovalMissing"


class ApprovalExpiredError(DeskError):
    """The hour for the answer is over, or the hour for the download after it."""

    code = "ApprovalLapsed"


class SelfApprovalError(DeskError):
    """A person tried to approve their own request (four eyes)."""

    code = "OwnApproval"


class ApproverTooNewError(DeskError):
    """The approver's role is too new for this request (lib.domain.approver)."""

    code = "NewApprover"


class ApprovalAnsweredError(DeskError):
    """The request has an answer already, or there is no such request."""

    code = "ApprovalAnswered"


class TooManyCredentialsError(DeskError):
    """The service has two live credentials already, the most that it may have."""

    code = "TooManyCredentials"


@dataclass
class InvalidExpiryError(DeskError):
    """`days` is outside of 1 to 730, the range of an expiry policy."""

    code = "BadDays"

    days: int


@dataclass
class UnknownServiceError(DeskError):
    """There is no service with this id."""

    code = "UnknownService"

    service_id: str


class LastAdministratorError(DeskError):
    """The change would leave no API administrator for all organizations."""

    code = "LastAdministrator"


class DatabaseUnavailableError(DeskError):
    """The database cannot be reached or used. Nothing was changed."""

    code = "StoreUnavailable"


class DatabaseBusyError(DatabaseUnavailableError):
    """Another writer held the lock for longer than the time limit."""

    code = "StoreBusy"


class DatabaseReadOnlyError(DatabaseUnavailableError):
    """The database refuses writes."""

    code = "StoreReadOnly"


class DatabaseFullError(DatabaseUnavailableError):
    """There is no disk space left for the database."""

    code = "StoreFull"


class SignInRefusedError(DeskError):
    """A sign-in was refused; the subclasses say why."""

    code = "SignInRefused"


class SignedOutError(SignInRefusedError):
    """The session was signed out, so its cookie is not valid any more."""

    code = "SignedOut"


@dataclass
class SessionTimedOutError(SignInRefusedError):
    """The session reached its time limit: without a click (`idle`), or since the sign-in."""

    code = "TimedOut"

    idle: bool


@dataclass
class NotInDirectoryError(SignInRefusedError):
    """The directory has no account for `name`, the value of the provider's claim."""

    code = "NotInDirectory"

    name: str


@dataclass
class InactiveAccountError(SignInRefusedError):
    """The directory has an account for `name`, and it is inactive."""

    code = "Inactive"

    name: str


@dataclass
class ClaimUnusableError(SignInRefusedError):
    """The provider's `claim` does not name a person; `fault` says why."""

    code = "ClaimUnusable"

    claim: str
    fault: ClaimFault


@dataclass
class AmbiguousEmailError(SignInRefusedError):
    """Two or more accounts have this e-mail address, so it does not identify a person."""

    code = "AmbiguousEmail"

    email: str
