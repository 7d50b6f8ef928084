"""Sentences about a plan, a receipt and an error."""

from lib.domain import errors
from lib.domain.operations import Receipt
from lib.domain.plan import Plan
from lib.domain.states import Action
from lib.wording.formats import either
from lib.wording.labels import ACTIONS, PENDING_ENDS


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
    for kind, sentence in _ERROR_SENTENCES:
        if isinstance(error, kind):
            return sentence
    return "Something went wrong and nothing was changed. Try again; the server's log says more."


_ERROR_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
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
