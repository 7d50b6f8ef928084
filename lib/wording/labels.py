"""Every sentence about an action, a refusal or a fault: the manual's words, once."""

import re
from dataclasses import dataclass
from datetime import date

from lib.domain import errors
from lib.domain.access import Actor
from lib.domain.clock import Moment, when
from lib.domain.operations import Receipt
from lib.domain.plan import Plan
from lib.domain.roles import Permission, Role
from lib.domain.states import Action, Holding, OrganizationType, Status

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
# Addresses become links after Markdown is parsed; a word joiner inside them prevents it.
_LINKS = re.compile(r"(?<=www)(?=\.)|(?<=:)(?=//)|(?=@)", re.IGNORECASE)
_JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class ActionWords:
    """How one action is called: for one user, for several, and in sentences about N users."""

    one: str
    many: str
    does: str
    did: str


ACTIONS = {
    Action.REQUEST: ActionWords(
        "Request New API Token",
        "Add New Tokens",
        "is asked to accept a new token|are asked to accept a new token",
        "new token requested|new tokens requested",
    ),
    Action.REMOVE: ActionWords(
        "Remove API Token",
        "Remove Tokens",
        "loses the accepted token|lose the accepted token",
        "token removed|tokens removed",
    ),
    Action.CANCEL: ActionWords(
        "Cancel Pending Request",
        "Cancel Pending Requests",
        "has the pending request ended|have the pending request ended",
        "pending request cancelled|pending requests cancelled",
    ),
    Action.GENERATE: ActionWords(
        "Generate & Export Token",
        "Generate & Export Tokens",
        "gets a new token|get a new token",
        "token generated and exported|tokens generated and exported",
    ),
}

#: Pending is a request, or a token from a CSV that works and was not used yet.
PENDING_ENDS = "pending request or exported token ends|pending requests or exported tokens end"

HOLDINGS = {
    Holding.NOTHING: "no token",
    Holding.PENDING: "Pending",
    Holding.ACCEPTED: "✓",
    Holding.BOTH: "✓ and Pending",
}

FILTERS = {
    "any": "Any",
    "accepted": "✓ accepted",
    "pending": "Pending",
    "both": "✓ and Pending",
    "none": "None",
    "unused": "Never used",
    "expires7": "Expires within 7 days",
    "expires30": "Expires within 30 days",
    "expires60": "Expires within 60 days",
    "expired": "Expired",
}

ROLES = {
    Role.ADMINISTRATOR: "API administrator",
    Role.SUPPORT: "Support",
    Role.ANALYST: "Analyst",
}

EVERYWHERE = "all organizations"
PERMISSION_WORDS = {
    Permission.READ: "See organizations, their users and who has a token",
    Permission.COVERAGE: "See token coverage",
    Permission.ACTIVITY: "See activity: who did what, and on whom",
    Permission.EXPORT: "Download coverage and activity as CSV, without secrets",
    Permission.REQUEST: "Request new API tokens",
    Permission.REMOVE: "Remove API tokens",
    Permission.CANCEL: "Cancel pending requests",
    Permission.GENERATE: "Generate & export tokens",
    Permission.OFF_BOARD: "End all tokens and requests of one person (off-boarding)",
    Permission.APPROVE: "Approve what another API administrator asks for (four eyes)",
    Permission.RECALL: "Recall leaked tokens",
    Permission.POLICY: "Set how long tokens live",
    Permission.ACCESS: "Grant and revoke roles",
}

STATUS = {Status.ACTIVE: "Active", Status.INACTIVE: "Inactive", Status.PENDING: "Pending"}
STATUS_ICONS = {
    Status.ACTIVE: ":material/check_circle:",
    Status.INACTIVE: ":material/block:",
    Status.PENDING: ":material/schedule:",
}
TYPES = {OrganizationType.RECIPIENT: "Recipient", OrganizationType.SUBMITTER: "Submitter"}
TYPE_ICONS = {
    OrganizationType.RECIPIENT: ":material/account_balance:",
    OrganizationType.SUBMITTER: ":material/work:",
}


def action_name(action: Action, users: int) -> str:
    """Return the menu's name of `action` for that many users (ruling 1)."""
    words = ACTIONS[action]
    return words.one if users == 1 else words.many


def role_names(actor: Actor) -> str:
    """Return the names of a person's roles: `API administrator`, `Support, Analyst`, or `User`."""
    held = {grant.role for grant in actor.grants}
    return ", ".join(ROLES[role] for role in Role if role in held) or "User"


def plain(text: str) -> str:
    """Return `text` with Markdown made inert, so that a name is shown as it is written."""
    return _MARKDOWN.sub(r"\\\1", _LINKS.sub(_JOINER, text.replace("\n", " ")))


def either(number: int, one_or_many: str) -> str:
    """Return `number` with the part of `one|many` that fits it."""
    one, many = one_or_many.split("|")
    return f"{number:,} {one if number == 1 else many}"


def day(moment: Moment | None) -> date | None:
    """Return the day of `moment` in UTC."""
    return when(moment).date() if moment is not None else None


def clock_time(moment: Moment) -> str:
    """Return `Nov 24, 2026 10:42 UTC`."""
    return when(moment).strftime("%b %-d, %Y %H:%M UTC")


def plan_sentence(plan: Plan) -> str:
    """Return a sentence such as `12 selected: 11 get a new token, 1 is skipped`."""
    counts = plan.preview
    does = either(counts.changed, ACTIONS[plan.action].does)
    skipped = len(counts.skipped)
    tail = f", {either(skipped, 'is skipped|are skipped')}" if skipped else ""
    return f"{counts.selected:,} selected: {does}{tail}."


def plan_details(plan: Plan) -> list[str]:
    """Return what will happen, a bullet each, as Markdown."""
    counts, details = plan.preview, []
    if counts.tokens_ending:
        ends = (
            "token is replaced|tokens are replaced"
            if plan.action is Action.GENERATE
            else "token is removed|tokens are removed"
        )
        stop = "stops" if counts.tokens_ending == 1 else "stop"
        recent = (
            f", {counts.recently_used:,} of them used in the last 7 days"
            if counts.recently_used
            else ""
        )
        details.append(f"**{either(counts.tokens_ending, ends)}** and {stop} working{recent}")
    if counts.pending_ending:
        details.append(either(counts.pending_ending, PENDING_ENDS))
    if counts.changed and plan.action is Action.GENERATE:
        users = (
            "The user shows"
            if counts.changed == 1
            else f"Each of the {counts.changed:,} users shows"
        )
        details.append(f"{users} Pending until the new token is first used")
    if counts.changed and plan.action is Action.REQUEST:
        details.append("Each user shows Pending until they accept; a token they have keeps working")
    return details


def receipt_sentence(receipt: Receipt) -> str:
    """Return `11 tokens generated and exported`."""
    return either(receipt.changed, ACTIONS[receipt.action].did)


def explain(error: Exception) -> str:
    """Return the sentence for an error: what is wrong, and how to mend it."""
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return sentence
    return "Something went wrong and nothing was changed. Try again; the server's log says more."


_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (
        errors.NotAllowedError,
        (
            "You may not do this, or no longer. An API administrator can grant you a role under "
            "Access."
        ),
    ),
    (
        errors.UnknownPersonError,
        "The directory has nobody of that username. Look at its spelling, or import the person.",
    ),
    (
        errors.LastAdministratorError,
        (
            "Nothing was changed: nobody would be left who is API administrator in all "
            "organizations. Grant that to somebody else first."
        ),
    ),
    (
        errors.ApprovalMissingError,
        (
            "Nothing was done: this needs a second API administrator, and none has approved just "
            "this. Choose Generate & Export again and ask for approval."
        ),
    ),
    (
        errors.ApprovalExpiredError,
        "Nothing was done: the hour for it is over. Choose Generate & Export again and ask anew.",
    ),
    (
        errors.SelfApprovalError,
        "Nobody approves their own request. Ask another API administrator to look at Activity.",
    ),
    (
        errors.ApproverTooNewError,
        (
            "Your role is too new for this request. A role may answer requests that are made at "
            "least 24 hours after it was granted, or 7 days if the requester, or somebody they "
            "gave a role to, granted it. Ask another API administrator."
        ),
    ),
    (
        errors.ApprovalAnsweredError,
        "This request is no longer waiting: it was answered already, or never asked.",
    ),
    (
        errors.InvalidExpiryError,
        "Nothing was changed: type between 1 and 730 days, or nothing for no limit.",
    ),
    (
        errors.TooManyCredentialsError,
        "This service has two live credentials already. End the one that is no longer used.",
    ),
    (errors.UnknownServiceError, "There is no such service. Look at its id on the Services page."),
    (
        errors.AuditNotWrittenError,
        (
            "Nothing was done: the audit trail could not be written. Ask whoever runs Token Desk "
            "to look at the server's log."
        ),
    ),
    (
        errors.UnknownPlaceError,
        "This organization does not subscribe to that service. Pick another service.",
    ),
    (
        errors.SelectionChangedError,
        (
            "Some selected users are no longer in this organization. Clear the selection and tick "
            "the users again."
        ),
    ),
    (errors.NothingToDoError, "Nobody among the selected users would change, so nothing was done."),
    (
        errors.PlanOutdatedError,
        "Nothing was done: the tokens of some selected users changed since the first confirmation.",
    ),
    (
        errors.TokenNotPendingError,
        "This is no longer pending: it was accepted, declined or ended meanwhile.",
    ),
    (
        errors.StepRefusedError,
        "This cannot be accepted now: the user, organization or service is inactive.",
    ),
    (
        errors.DatabaseBusyError,
        "The database is busy with another change. Nothing was changed; try again in a moment.",
    ),
    (
        errors.DatabaseReadOnlyError,
        (
            "The database is read-only, so nothing was changed. Ask whoever runs Token Desk to "
            "make its file writable."
        ),
    ),
    (
        errors.DatabaseFullError,
        (
            "The disk under the database is full, so nothing was changed. Ask whoever runs Token "
            "Desk to make room."
        ),
    ),
    (
        errors.DatabaseUnavailableError,
        "The database cannot be reached. Nothing was changed; try again in a moment.",
    ),
)
