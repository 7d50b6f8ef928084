"""What should not happen. Facts are attributes; lib.ui makes the sentences."""

from dataclasses import dataclass
from typing import ClassVar

from lib.domain.operations import ChangedUser
from lib.domain.roles import Permission


class DeskError(Exception):
    """Base of all errors of ours. None carries a token.

    `code` is the word that the audit trail stores, whatever the class is called.
    """

    code: ClassVar[str]


@dataclass
class NotAllowedError(DeskError):
    """The person may not do this, or not here."""

    code = "NotAllowed"

    username: str
    permission: Permission


@dataclass
class UnknownPlaceError(DeskError):
    """No such organization, or it never subscribed to this service."""

    code = "UnknownPlace"

    organization_id: str
    service_id: str


@dataclass
class SelectionChangedError(DeskError):
    """Some selected ids are no users of this organization."""

    code = "SelectionGone"

    missing: int


@dataclass
class NothingToDoError(DeskError):
    """The plan changes nobody, so there is nothing to confirm."""

    code = "NothingToDo"


@dataclass
class PlanOutdatedError(DeskError):
    """Something about the selected users changed since the first confirmation."""

    code = "PlanOutdated"

    changed: tuple[ChangedUser, ...]


@dataclass
class TokenNotPendingError(DeskError):
    """The pending token is no longer there: accepted, declined or ended elsewhere."""

    code = "TokenGone"


@dataclass
class StepRefusedError(DeskError):
    """The lifecycle says no to a user's own step; `reason` is the skip's value."""

    code = "Refused"

    reason: str


class AuditNotWrittenError(DeskError):
    """The audit trail did not take the event, so nothing was done."""

    code = "AuditUnwritten"


@dataclass
class UnknownPersonError(DeskError):
    """The directory has nobody of this name."""

    code = "UnknownPerson"

    username: str


class ApprovalMissingError(DeskError):
    """So many tokens need a second API administrator, who has not approved just this."""

    code = "ApprovalMissing"


class ApprovalExpiredError(DeskError):
    """The hour for the answer, or for the download after it, is over."""

    code = "ApprovalLapsed"


class SelfApprovalError(DeskError):
    """Nobody approves their own request (four eyes)."""

    code = "OwnApproval"


class ApproverTooNewError(DeskError):
    """The approver's role is too new for this request (lib.domain.approver)."""

    code = "NewApprover"


class ApprovalAnsweredError(DeskError):
    """Somebody has answered this request already, or there is none."""

    code = "ApprovalAnswered"


class TooManyCredentialsError(DeskError):
    """A service has two live credentials, which is what a change of them takes."""

    code = "TooManyCredentials"


@dataclass
class InvalidExpiryError(DeskError):
    """An expiry policy has between 1 and 730 days, or none."""

    code = "BadDays"

    days: int


@dataclass
class UnknownServiceError(DeskError):
    """There is no such service."""

    code = "UnknownService"

    service_id: str


class LastAdministratorError(DeskError):
    """Nobody would be left who is API administrator in all organizations."""

    code = "LastAdministrator"


class DatabaseUnavailableError(DeskError):
    """The database did not take part. Nothing was changed."""

    code = "StoreUnavailable"


class DatabaseBusyError(DatabaseUnavailableError):
    """Another writer holds the database for longer than we wait."""

    code = "StoreBusy"


class DatabaseReadOnlyError(DatabaseUnavailableError):
    """The database cannot be written."""

    code = "StoreReadOnly"


class DatabaseFullError(DatabaseUnavailableError):
    """No room left for the database."""

    code = "StoreFull"


class SignInRefusedError(DeskError):
    """Whoever stands at the door is not let in; the kinds below say why."""

    code = "SignInRefused"


class SignedOutError(SignInRefusedError):
    """This sign-in was ended: its cookie is worth nothing any more."""

    code = "SignedOut"


@dataclass
class SessionTimedOutError(SignInRefusedError):
    """This sign-in lasted too long: without a click (`idle`), or altogether."""

    code = "TimedOut"

    idle: bool


@dataclass
class NotInDirectoryError(SignInRefusedError):
    """The directory has nobody whom the provider's claim names."""

    code = "NotInDirectory"

    name: str


@dataclass
class InactiveAccountError(SignInRefusedError):
    """The directory knows this person, and they are inactive."""

    code = "Inactive"

    name: str


@dataclass
class ClaimUnusableError(SignInRefusedError):
    """The provider's claim is missing, is no name, or is an e-mail that it has not verified."""

    code = "ClaimUnusable"

    claim: str


@dataclass
class AmbiguousEmailError(SignInRefusedError):
    """The e-mail belongs to two accounts or more, so it names nobody."""

    code = "AmbiguousEmail"

    email: str
