"""The words of the life of a token, each spelled once."""

from enum import StrEnum


class TokenState(StrEnum):
    """State of a token row. Pending and accepted are live; the others are closed for good."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REMOVED = "removed"
    REPLACED = "replaced"
    EXPIRED = "expired"
    UNDONE = "undone"


class Origin(StrEnum):
    """How a token row came about: asked for by an administrator, or generated and exported."""

    REQUEST = "request"
    EXPORT = "export"


class Action(StrEnum):
    """What an API administrator does to users in bulk (the manual's four actions)."""

    REQUEST = "request"
    REMOVE = "remove"
    CANCEL = "cancel"
    GENERATE = "generate"


class OwnStep(StrEnum):
    """What a user does with what is pending for them."""

    ACCEPT = "accept"
    DECLINE = "decline"


class Holding(StrEnum):
    """What a member has live for one service."""

    NOTHING = "nothing"
    PENDING = "pending"
    ACCEPTED = "accepted"
    BOTH = "both"


class Skip(StrEnum):
    """Why an operation leaves a user alone. A skip is a result, not an error."""

    ALREADY_PENDING = "already pending"
    NOTHING_PENDING = "nothing pending"
    NO_TOKEN = "no accepted token"  # noqa: S105 - a reason, not a password
    INACTIVE_USER = "inactive user"
    INACTIVE_ORGANIZATION = "inactive organization"
    INACTIVE_SUBSCRIPTION = "inactive subscription"


class Status(StrEnum):
    """Status of an organization, a subscription or a membership. Only active ones get tokens."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class SessionStatus(StrEnum):
    """Status of a sign-in. NONE: never seen here, or refused. ENDED is final."""

    NONE = "none"
    ACTIVE = "active"
    ENDED = "ended"


class OrganizationType(StrEnum):
    """A recording office, or who submits to it."""

    RECIPIENT = "recipient"
    SUBMITTER = "submitter"


class ApprovalState(StrEnum):
    """What became of a request for a second administrator's approval (four eyes)."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
