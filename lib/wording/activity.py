"""The words of Activity: labels of events, the progress of operations, how tokens ended."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from lib.domain.actions import ACTIONS, action_name
from lib.domain.activity import ActivityRow, EndedToken, Group, Kind, Progress
from lib.domain.audit import BY_COMMAND, EventAction, Recorded
from lib.domain.clock import Moment, when
from lib.domain.roles import Role
from lib.domain.states import Action, Delivery, Origin, OwnStep, TokenState
from lib.wording.labels import ROLES

COMMAND_LINE = "Command line"

KINDS: dict[Kind, str] = {
    Group.OPERATIONS: "Operations",
    Group.EVERYTHING: "Everything",
    **{action: entry.name_for_many for action, entry in ACTIONS.items()},
    Group.CSV_NOT_SENT: "CSV not sent",
    Group.UNDO: "Undo",
    Group.APPROVALS: "Approvals",
    Group.OWN_STEPS: "Accepted, declined, used",
    Group.DOWNLOAD: "Downloads",
    Group.ACCESS: "Access and policies",
    Group.REFUSAL: "Refusals",
    Group.SIGN_INS: "Sign-ins",
    Group.IMPORT: "Imports",
}
#: These events belong to no organization: only who may see all organizations can choose them.
ONLY_EVERYWHERE = {Group.SIGN_INS, Group.IMPORT}


class Sign(NamedTuple):
    """How a state looks: word, colour and icon. The colour never stands alone."""

    word: str
    colour: Literal["green", "orange", "blue", "red", "gray"]
    icon: str


PROGRESS = {
    Progress.DONE: Sign("Done", "green", ":material/check_circle:"),
    Progress.WAITING: Sign("Waiting for approval", "orange", ":material/schedule:"),
    Progress.APPROVED: Sign("Approved", "blue", ":material/verified:"),
    Progress.REJECTED: Sign("Rejected", "red", ":material/block:"),
    Progress.LAPSED: Sign("Lapsed", "gray", ":material/timer_off:"),
    Progress.REFUSED: Sign("Refused", "red", ":material/block:"),
}

DELIVERY = {
    Delivery.NOT_SENT: Sign("CSV not sent", "orange", ":material/warning:"),
    Delivery.SENT: Sign("CSV sent", "green", ":material/check_circle:"),
    Delivery.SENT_AGAIN: Sign("CSV sent again", "green", ":material/check_circle:"),
}

_REFUSAL_REASONS = {
    "NotAllowed": "not allowed",
    "OutOfReach": "not allowed in every organization",
    "NotUndoable": "it cannot be undone",
    "UnknownOperation": "no such operation",
    "OwnApproval": "own request",
    "ApprovalLapsed": "the hour was over",
    "ApprovalAnswered": "answered already",
    "ApprovalMissing": "not approved",
    "PlanOutdated": "the tokens had changed",
    "NothingToDo": "nobody would change",
    "SelectionGone": "users were gone",
    "UnknownPlace": "no such organization or service",
    "UnknownPerson": "no such person",
    "UnknownService": "no such service",
    "TooManyCredentials": "two credentials already",
    "BadDays": "not a possible number of days",
    "NewApprover": "role too new",
    "TokenGone": "no longer pending",
    "Refused": "something was inactive",
    "LastAdministrator": "the last administrator",
    "NotInDirectory": "not in the directory",
    "Inactive": "an inactive account",
    "AmbiguousEmail": "an e-mail of several accounts",
    "ClaimUnusable": "no usable name",
    "SignedOut": "signed out already",
    "TimedOut": "too long ago",
}

_REFUSED_STEPS = {
    EventAction.UNDO: "Undo",
    EventAction.BAR: "Recall ended tokens",
    OwnStep.ACCEPT: "Accept",
    OwnStep.DECLINE: "Decline",
    EventAction.ASK_APPROVAL: "Ask for approval",
    EventAction.APPROVE: "Approve",
    EventAction.REJECT: "Reject",
    EventAction.DOWNLOAD: "Download",
    EventAction.SIGN_IN: "Sign in",
    EventAction.SIGN_OUT: "Sign out",
    EventAction.GRANT: "Grant a role",
    EventAction.REVOKE: "Take a role away",
    EventAction.POLICY: "Set expiry",
    EventAction.CREDENTIAL: "Make a credential",
    EventAction.END_CREDENTIAL: "End a credential",
    EventAction.IMPORT: "Import",
}


def event_label(event: ActivityRow) -> str:
    """Return the label of an event, in the manual's words for the four actions."""
    if isinstance(event.action, Action):
        name = action_name(event.action, event.users)
        return f"{name}: {event.subject}" if event.subject else name
    label = _EVENT_LABELS.get(event.action)
    return label(event) if label else _readable(event.action.value)


def event_reason(event: ActivityRow) -> str:
    """Return the typed reason of an event, or, of a refusal, why it was refused."""
    if event.action is not EventAction.REFUSAL:
        return event.reason
    _, _, kind = event.detail.partition(": ")
    return _REFUSAL_REASONS.get(kind, "not allowed" if event.detail.startswith("page: ") else kind)


def event_actor(event: ActivityRow) -> str:
    """Return the username of the person who did it; without one, `First use` or the like."""
    if event.actor:
        return event.actor
    if event.action == EventAction.FIRST_USE:
        return "First use"
    return COMMAND_LINE if event.address in BY_COMMAND else "API"


def person_label(username: str, name: str) -> str:
    """Return a person as `Morgan Hale · mhale`; without both, `Command line`."""
    return " · ".join(filter(None, (name, username))) or COMMAND_LINE


def event_users(event: ActivityRow) -> str:
    """Return the number of users of an event: `12`, or `12, 1 skipped`; empty without any."""
    if not event.operation_id:
        return ""
    skipped = f", {event.skipped:,} skipped" if event.skipped else ""
    return f"{event.users:,}{skipped}" if event.users or skipped else ""


def event_delivery(event: ActivityRow) -> str:
    """Return what the server saw of an export's CSV, as `not sent`; empty of other events."""
    return event.delivery.value if event.action is Action.GENERATE else ""


def time_of_day(moment: Moment) -> str:
    """Return the time of `moment` as `10:42 UTC`."""
    return when(moment).strftime("%H:%M UTC")


def token_start(token: EndedToken) -> str:
    """Return how a token began: `Requested by mhale`, `Generated`, `Generated, restored`."""
    word = "Requested" if token.origin is Origin.REQUEST else "Generated"
    began = f"{word} by {token.made_by}" if token.made_by else word
    return f"{began}, restored" if token.restored else began


def token_end(token: EndedToken) -> str:
    """Return how a token ended: `Removed by mhale`, `Declined by the user`."""
    if token.state is TokenState.REPLACED and not token.ended_by:
        return "Replaced when the new one was accepted"
    if token.state is TokenState.DECLINED:
        return "Declined by the user"
    word = token.state.value.capitalize()
    return f"{word} by {token.ended_by}" if token.ended_by else word


def _refusal_label(event: ActivityRow) -> str:
    step, _, _ = event.detail.partition(": ")
    if step == "page":
        return "Refused: open a page"
    if step in set(Action):
        return f"Refused: {ACTIONS[Action(step)].name_for_many}"
    known = next((word for action, word in _REFUSED_STEPS.items() if action.value == step), None)
    return f"Refused: {known or _readable(step)}"


def _readable(name: str) -> str:
    """Return a name such as `end-credential` as it reads in a sentence."""
    return name.replace("-", " ").capitalize()


def _sign_out_label(event: ActivityRow) -> str:
    if event.address in BY_COMMAND:
        return f"Signed out: {event.detail}"
    return "Timed out" if event.detail else "Signed out"


def _role_name(event: ActivityRow) -> str:
    return ROLES[Role(event.detail)] if event.detail in set(Role) else event.detail


def _undo_label(event: ActivityRow) -> str:
    undone, _, _ = event.detail.partition(" ")
    return f"Undo: {action_name(Action(undone), event.users)}" if undone in set(Action) else "Undo"


_EVENT_LABELS: dict[Recorded, Callable[[ActivityRow], str]] = {
    EventAction.UNDO: _undo_label,
    EventAction.BAR: lambda _: "Ended tokens leaked or revoked: never restored",
    OwnStep.ACCEPT: lambda _: "Accepted a token",
    OwnStep.DECLINE: lambda _: "Declined a token",
    EventAction.FIRST_USE: lambda _: "First used a token",
    EventAction.ASK_APPROVAL: lambda _: f"Asked: {ACTIONS[Action.GENERATE].name_for_many}",
    EventAction.APPROVE: lambda _: f"Approved: {ACTIONS[Action.GENERATE].name_for_many}",
    EventAction.REJECT: lambda _: f"Rejected: {ACTIONS[Action.GENERATE].name_for_many}",
    EventAction.DOWNLOAD: lambda event: f"Downloaded {event.detail or 'a file'}",
    EventAction.SIGN_IN: lambda _: "Signed in",
    EventAction.SIGN_OUT: _sign_out_label,
    EventAction.GRANT: lambda event: f"Granted {_role_name(event)} to {event.subject}",
    EventAction.REVOKE: lambda event: f"Took {_role_name(event)} from {event.subject}",
    EventAction.POLICY: lambda event: f"Set expiry: {event.detail}",
    EventAction.CREDENTIAL: lambda event: f"Made credential {event.subject}",
    EventAction.END_CREDENTIAL: lambda event: f"Ended credential {event.subject}",
    EventAction.IMPORT: lambda _: "Imported a directory",
    EventAction.REFUSAL: _refusal_label,
}
