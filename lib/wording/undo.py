"""Sentences about Undo: what it will do, what it did, and why it is refused."""

from lib.domain.actions import action_name
from lib.domain.activity import OperationFacts
from lib.domain.states import Cause
from lib.domain.undo import UndoRefusal, UndoState
from lib.domain.undo_plan import UndoPlan, UndoPreview
from lib.wording.formats import clock_time, either, plain

RESTORED = "user is restored|users are restored"
DID_RESTORE = "user restored|users restored"

UNDO_REFUSALS = {
    UndoRefusal.OFF: "Undo is switched off. Whoever runs Token Desk can set TOKEN_DESK_UNDO_DAYS.",
    UndoRefusal.TOO_LATE: "This operation is too old to be undone. Generate & Export or request "
    "new tokens instead.",
    UndoRefusal.UNDONE: "This operation was undone already, so nothing was changed.",
    UndoRefusal.IS_UNDO: "An undo cannot be undone. Choose the action again instead.",
    UndoRefusal.IS_RECALL: "A recall cannot be undone: its tokens have leaked. Generate & Export "
    "new ones instead.",
    UndoRefusal.OLD_BATCH: "This batch was made before Undo existed, so it cannot be undone. "
    "Generate & Export or request new tokens instead.",
}

_STATES = {**UNDO_REFUSALS, UndoRefusal.UNDONE: "This operation was undone."}
_NOT_YOURS = (
    "You may not undo this: it needs the role that can do what was done, in every organization "
    "that it reached."
)


def undo_state_sentence(state: UndoState) -> str:
    """Return until when an operation can be undone, or why it cannot."""
    if state.refusal:
        return _STATES[state.refusal]
    return f"Undo until {clock_time(state.until)}." if state.allowed else _NOT_YOURS


def operation_name(operation: OperationFacts) -> str:
    """Return the menu's name of what was done; of an undo `Undo: Remove Tokens`."""
    name = action_name(operation.action, operation.changed + operation.skipped)
    return f"Undo: {name}" if operation.cause is Cause.UNDO else name


def undo_title(plan: UndoPlan) -> str:
    """Return the title of the confirmation; its names are escaped."""
    first = plan.parts[0]
    if first.subject:
        return f"Undo the off-boarding of {plain(first.subject)}?"
    return f"Undo {operation_name(first.undone)}?"


def undo_place(plan: UndoPlan) -> str:
    """Return where and when the operations were done, and by whom, as Markdown."""
    undone = [part.undone for part in plan.parts]
    first, places = undone[0], {(o.organization_id, o.service_id) for o in undone}
    done = f"{clock_time(first.confirmed_at)} by {plain(first.actor)}"
    if len(places) > 1:
        return f"{len(places):,} organizations and services · {done}"
    names = (first.organization_name, first.organization_id, first.service_name)
    return " · ".join((*map(plain, names), done))


def undo_sentence(preview: UndoPreview) -> str:
    """Return a sentence such as `12 users: 11 users are restored, 1 is skipped.`."""
    skipped = len(preview.skipped)
    tail = f", {either(skipped, 'is skipped|are skipped')}" if skipped else ""
    selected = either(preview.selected, "user|users")
    return f"{selected}: {either(preview.restored, RESTORED)}{tail}."


def undo_details(preview: UndoPreview) -> list[str]:
    """Return what will happen, one sentence for each kind of row."""
    counts = (
        (preview.tokens_back, "earlier token works again|earlier tokens work again"),
        (preview.requests_back, "request is pending again|requests are pending again"),
        (preview.tokens_ending, "new token stops working|new tokens stop working"),
        (preview.requests_ending, "request ends|requests end"),
    )
    return [either(number, words) for number, words in counts if number]
