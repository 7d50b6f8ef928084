"""What should not happen. Facts are attributes; lib.ui makes the sentences."""

from dataclasses import dataclass

from lib.domain.roles import Permission
from lib.domain.rows import ChangedUser


class DeskError(Exception):
    """Base of all errors of ours. None carries a token."""


@dataclass
class NotAllowed(DeskError):
    """The person may not do this, or not here."""

    username: str
    permission: Permission


@dataclass
class UnknownPlace(DeskError):
    """No such organization, or it never subscribed to this service."""

    organization_id: str
    service_id: str


@dataclass
class SelectionGone(DeskError):
    """Some selected ids are no users of this organization."""

    missing: int


@dataclass
class NothingToDo(DeskError):
    """The plan changes nobody, so there is nothing to confirm."""


@dataclass
class PlanOutdated(DeskError):
    """Something about the selected users changed since the first confirmation."""

    changed: tuple[ChangedUser, ...]


@dataclass
class TokenGone(DeskError):
    """The pending token is no longer there: accepted, declined or ended elsewhere."""


@dataclass
class Refused(DeskError):
    """The lifecycle says no to a user's own step; `reason` is the skip's value."""

    reason: str


class AuditUnwritten(DeskError):
    """The audit trail did not take the event, so nothing was done."""


@dataclass
class UnknownPerson(DeskError):
    """The directory has nobody of this name."""

    username: str


class ApprovalMissing(DeskError):
    """So many tokens need a second API administrator, who has not approved just this."""


class ApprovalLapsed(DeskError):
    """The hour for the answer, or for the download after it, is over."""


class OwnApproval(DeskError):
    """Nobody approves their own request (four eyes)."""


class NewApprover(DeskError):
    """The approver's role is too new for this request (lib.domain.approver)."""


class ApprovalAnswered(DeskError):
    """Somebody has answered this request already, or there is none."""


class TooManyCredentials(DeskError):
    """A service has two live credentials, which is what a change of them takes."""


@dataclass
class BadDays(DeskError):
    """An expiry policy has between 1 and 730 days, or none."""

    days: int


@dataclass
class UnknownService(DeskError):
    """There is no such service."""

    service_id: str


class LastAdministrator(DeskError):
    """Nobody would be left who is API administrator in all organizations."""


class StoreUnavailable(DeskError):
    """The database did not take part. Nothing was changed."""


class StoreBusy(StoreUnavailable):
    """Another writer holds the database for longer than we wait."""


class StoreReadOnly(StoreUnavailable):
    """The database cannot be written."""


class StoreFull(StoreUnavailable):
    """No room left for the database."""


class SignInRefused(DeskError):
    """Whoever stands at the door is not let in; the kinds below say why."""


class SignedOut(SignInRefused):
    """This sign-in was ended: its cookie is worth nothing any more."""


@dataclass
class TimedOut(SignInRefused):
    """This sign-in lasted too long: without a click (`idle`), or altogether."""

    idle: bool


@dataclass
class NotInDirectory(SignInRefused):
    """The directory has nobody whom the provider's claim names."""

    name: str


@dataclass
class Inactive(SignInRefused):
    """The directory knows this person, and they are inactive."""

    name: str


@dataclass
class ClaimUnusable(SignInRefused):
    """The provider's claim is missing, is no name, or is an e-mail that it has not verified."""

    claim: str


@dataclass
class AmbiguousEmail(SignInRefused):
    """The e-mail belongs to two accounts or more, so it names nobody."""

    email: str
