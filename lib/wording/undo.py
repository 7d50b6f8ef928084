"""Sentences about Undo: what it will do, what it did, and why it is refused."""

from lib.domain.undo import UndoRefusal
from lib.domain.undo_plan import UndoPreview
from lib.wording.formats import either

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
