"""The states and actions that are stored, each spelled in one place."""

from enum import StrEnum


class TokenState(StrEnum):
    """State of a token row. Pending and accepted rows are live; all others have ended."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REMOVED = "removed"
    REPLACED = "replaced"
    EXPIRED = "expired"
    UNDONE = "undone"


class Origin(StrEnum):
    """How a token row began: an administrator requested it, or generated and exported it."""

    REQUEST = "request"
    EXPORT = "export"


class Action(StrEnum):
    """An administrator's bulk action on users (the manual's four actions)."""

    REQUEST = "request"
    REMOVE = "remove"
    CANCEL = "cancel"
    GENERATE = "generate"


class ExistingTokens(StrEnum):
    """What Generate & Export does to accepted tokens: end them at once, or keep them (ruling 3).

    A kept token works until the new token of the same user is first used or accepted.
    """

    STOP = "stop"
    KEEP = "keep"


class Cause(StrEnum):
    """What an operation belongs to. UNKNOWN: a batch from before causes were stored."""

    BULK = "bulk"
    OFF_BOARDING = "off-boarding"
    RECALL = "recall"
    UNDO = "undo"
    UNKNOWN = "unknown"


class Delivery(StrEnum):
    """What the server saw of an operation's CSV file.

    SENT: all of it was handed to the network once. NONE: the operation has no CSV, or is older than
    this record.
    """

    NONE = ""
    NOT_SENT = "not sent"
    SENT = "sent"
    SENT_AGAIN = "sent again"


class OwnStep(StrEnum):
    """A user's own action on a pending token or request."""

    ACCEPT = "accept"
    DECLINE = "decline"


class Holding(StrEnum):
    """The live rows that a member has for one service."""

    NOTHING = "nothing"
    PENDING = "pending"
    ACCEPTED = "accepted"
    BOTH = "both"


class Skip(StrEnum):
    """Why an operation skips a user. A skip is a result, not an error."""

    ALREADY_PENDING = "already pending"
    NOTHING_PENDING = "nothing pending"
    NO_TOKEN = "no accepted token"  # noqa: S105 - a reason, not a password
    INACTIVE_USER = "inactive user"
    INACTIVE_ORGANIZATION = "inactive organization"
    INACTIVE_SUBSCRIPTION = "inactive subscription"
    # Reasons of Undo only (lib.domain.undo).
    ACCEPTED_SINCE = "accepted or used since"
    DECLINED_SINCE = "declined since"
    CHANGED_SINCE = "changed by a later operation"
    EXPIRED = "expired"
    BARRED = "leaked or revoked"


class Status(StrEnum):
    """Status of an organization, a subscription or a membership. Only active ones get tokens."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class SessionStatus(StrEnum):
    """Status of a sign-in. NONE: never seen here, or refused. ENDED is final.

    UNKNOWN: the database cannot be read.
    """

    NONE = "none"
    ACTIVE = "active"
    ENDED = "ended"
    UNKNOWN = "unknown"


class OrganizationType(StrEnum):
    """A recording office (recipient), or an organization that submits documents to it."""

    RECIPIENT = "recipient"
    SUBMITTER = "submitter"


class ApprovalState(StrEnum):
    """State of a request for a second administrator's approval (four eyes)."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
