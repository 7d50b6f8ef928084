"""What should not happen. Facts are attributes; lib.ui makes the sentences."""

from dataclasses import dataclass

from lib.domain.rows import ChangedUser


class DeskError(Exception):
    """Base of all errors of ours. None carries a token."""


@dataclass
class NotAllowed(DeskError):
    """The person may not do this."""

    username: str


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


class StoreUnavailable(DeskError):
    """The database did not take part. Nothing was changed."""


class StoreBusy(StoreUnavailable):
    """Another writer holds the database for longer than we wait."""


class StoreReadOnly(StoreUnavailable):
    """The database cannot be written."""


class StoreFull(StoreUnavailable):
    """No room left for the database."""
