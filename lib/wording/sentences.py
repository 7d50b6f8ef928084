"""Sentences about a plan, a receipt and an error."""

from lib.domain import errors
from lib.domain.actions import ACTIONS
from lib.domain.operations import Receipt
from lib.domain.plan import Plan
from lib.domain.states import Cause
from lib.wording.formats import either, one_or_many
from lib.wording.labels import PENDING_ENDS, SECOND_TOKENS
from lib.wording.unavailable import explain_unavailable
from lib.wording.undo import DID_RESTORE, UNDO_REFUSALS


def plan_sentence(plan: Plan) -> str:
    """Return a sentence such as `12 selected: 11 get a new token, 1 is skipped`."""
    counts = plan.preview
    does = either(counts.changed, ACTIONS[plan.action].does)
    skipped = len(counts.skipped)
    tail = f", {either(skipped, 'is skipped|are skipped')}" if skipped else ""
    return f"{counts.selected:,} selected: {does}{tail}."


def plan_details(plan: Plan) -> list[str]:
    """Return what will happen, one Markdown sentence for each bullet."""
    counts, entry, details = plan.preview, ACTIONS[plan.action], []
    if counts.tokens_ending:
        stop = "stops" if counts.tokens_ending == 1 else "stop"
        recent = (
            f", {counts.recently_used:,} of them used in the last 7 days"
            if counts.recently_used
            else ""
        )
        details.append(f"**{either(counts.tokens_ending, entry.ends)}** and {stop} working{recent}")
    if counts.second_tokens:
        details.append(either(counts.second_tokens, SECOND_TOKENS))
    if counts.pending_ending:
        details.append(either(counts.pending_ending, PENDING_ENDS))
    if counts.changed and entry.afterwards:
        details.append(
            one_or_many(counts.changed, entry.afterwards).format(users=f"{counts.changed:,}")
        )
    return details


def receipt_sentence(receipt: Receipt) -> str:
    """Return what an operation did: `11 tokens generated and exported`, `11 users restored`."""
    if receipt.cause is Cause.UNDO:
        return either(receipt.changed, DID_RESTORE)
    return either(receipt.changed, ACTIONS[receipt.action].did)


def explain(error: Exception) -> str:
    """Return the sentence for an error: what is wrong, and what to do.

    The first class in the table that fits decides; any other error gets a general sentence.
    """
    if isinstance(error, errors.DatabaseUnavailableError | errors.AuditNotWrittenError):
        return explain_unavailable(error)
    if isinstance(error, errors.NotUndoableError):
        return UNDO_REFUSALS[error.refusal]
    if isinstance(error, errors.OutOfReachError):
        return _OUT_OF_REACH.format(either(error.organizations, "organization|organizations"))
    for kind, sentence in _ERROR_SENTENCES:
        if isinstance(error, kind):
            return sentence
    return "Something went wrong and nothing was changed. Try again; the server's log says more."


_OUT_OF_REACH = (
    "Nothing was undone: the operation reaches into {} where you may not do this. Ask an API "
    "administrator of all of them."
)
_ERROR_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (
        errors.NotAllowedError,
        (
            "You may not do this, or no longer. An API administrator can grant you a role under "
            "Access."
        ),
    ),
    (
        errors.UnknownOperationError,
        "There is no such operation. Open it from Activity.",
    ),
    (
        errors.UnknownPersonError,
        "The directory has nobody of that username. Check the spelling, or import the person.",
    ),
    (
        errors.LastAdministratorError,
        (
            "Nothing was changed: this is the last API administrator in all organizations. Grant "
            "that role to somebody else first."
        ),
    ),
    (
        errors.ApprovalMissingError,
        (
            "Nothing was done: a second API administrator has not approved exactly this plan. "
            "Choose Generate & Export again and ask for approval."
        ),
    ),
    (
        errors.ApprovalExpiredError,
        "Nothing was done: the hour is over. Choose Generate & Export and ask for approval again.",
    ),
    (
        errors.SelfApprovalError,
        "You cannot approve your own request. Ask another API administrator to open Activity.",
    ),
    (
        errors.ApproverTooNewError,
        (
            "Your role is too new for this request. It must be granted at least 24 hours before "
            "the request is made: 7 days before, if the requester granted it, or somebody to whom "
            "the requester gave a role. Ask another API administrator."
        ),
    ),
    (
        errors.ApprovalAnsweredError,
        "This request is no longer waiting: it was already answered, or it does not exist.",
    ),
    (
        errors.InvalidExpiryError,
        "Nothing was changed: type a number of days from 1 to 730, or nothing for no limit.",
    ),
    (
        errors.TooManyCredentialsError,
        "This service already has two live credentials. End the one that is no longer used.",
    ),
    (errors.UnknownServiceError, "There is no such service. Check its id on the Services page."),
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
    (errors.NothingToDoError, "Nothing was done: none of the selected users would change."),
    (
        errors.PlanOutdatedError,
        "Nothing was done: the tokens of some selected users changed since the first confirmation.",
    ),
    (
        errors.TokenNotPendingError,
        "This is no longer pending: it was accepted, declined or ended in the meantime.",
    ),
    (
        errors.StepRefusedError,
        "This cannot be accepted now: the user, organization or service is inactive.",
    ),
)
