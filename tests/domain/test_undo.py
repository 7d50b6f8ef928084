"""The rules of Undo, member by member, without a database."""

import pytest

from lib.domain.activity import OperationFacts
from lib.domain.clock import DAY
from lib.domain.states import Action, Cause, ExistingTokens, Holding, Skip, TokenState
from lib.domain.undo import (
    FormerRow,
    LiveRow,
    RowFate,
    UndoMember,
    UndoRefusal,
    UndoSnapshot,
    has_what_was_left,
    undo_refusal,
    undo_snapshot,
)
from lib.domain.undo_plan import undo_digest, undo_preview
from tests.support.database_facts import NOW

#: The undone operation, and what it made and ended: rows are named by a letter.
DONE, OTHER = "o", "other"
MADE = LiveRow("n", "n", DONE, used=False)
NEWER = LiveRow("x", "x", OTHER, used=False)


def operation(action: Action, **facts: object) -> OperationFacts:
    """Return an executed operation."""
    empty = OperationFacts(
        "UTCJF1",
        "Juniper",
        DONE,
        "erecording",
        "eRecording",
        action,
        "mhale",
        "Morgan Hale",
        NOW,
        1,
        0,
        "",
        "",
        "",
        ExistingTokens.STOP,
        Cause.BULK,
        "",
        "",
        "",
    )
    return empty._replace(**facts)


def live(name: str) -> LiveRow:
    """Return a row from before the operation that is live."""
    return LiveRow(name, name, None, used=False)


def ended(name: str, by: str | None = DONE, **facts: bool) -> FormerRow:
    """Return a row from before the operation that is no longer live."""
    row = FormerRow(name, name, by, secret=True, moved=False, barred=False, expired=False)
    return row._replace(**facts)


def member(
    pending: LiveRow | None,
    accepted: LiveRow | None,
    had_pending: FormerRow | None,
    had_accepted: FormerRow | None,
) -> UndoMember:
    """Return a member with these rows, now and before."""
    return UndoMember("m", "User", "u", pending, accepted, had_pending, had_accepted)


def look(one: UndoMember, action: Action, *fates: RowFate) -> UndoSnapshot:
    """Return the snapshot of a member as an operation makes it."""
    done = operation(action)
    left = has_what_was_left(one, done, {DONE})
    return undo_snapshot(one, done, {DONE}, None if left else fates)


GENERATE, REMOVE, CANCEL, REQUEST = Action.GENERATE, Action.REMOVE, Action.CANCEL, Action.REQUEST
KEPT = ended("a", None)

RESTORED = [
    (REQUEST, member(MADE, None, None, None), "n", ()),
    (REQUEST, member(MADE, live("a"), None, KEPT), "n", ()),
    (CANCEL, member(None, None, ended("p"), None), None, ("p",)),
    (CANCEL, member(None, live("a"), ended("p"), KEPT), None, ("p",)),
    (REMOVE, member(None, None, None, ended("a")), None, ("a",)),
    (REMOVE, member(live("p"), None, ended("p", None), ended("a")), None, ("a",)),
    (GENERATE, member(MADE, None, None, None), "n", ()),
    (GENERATE, member(MADE, None, ended("p"), ended("a")), "n", ("p", "a")),
    (GENERATE, member(MADE, live("a"), ended("p"), KEPT), "n", ("p",)),
    # A row that revives another one counts as that one.
    (REQUEST, member(MADE, LiveRow("r", "a", None, used=False), None, KEPT), "n", ()),
    (GENERATE, member(MADE._replace(token_id="r"), None, None, ended("a")), "r", ("a",)),  # noqa: S106 - an id
    # A lapsed request stays away; the token comes back.
    (GENERATE, member(MADE, None, ended("p", expired=True), ended("a")), "n", ("a",)),
]
SKIPPED = [
    (GENERATE, member(None, MADE, None, ended("a")), Skip.ACCEPTED_SINCE, "accepted"),
    (GENERATE, member(MADE._replace(used=True), None, None, None), Skip.ACCEPTED_SINCE, None),
    (REQUEST, member(None, None, None, None), Skip.DECLINED_SINCE, "declined"),
    (GENERATE, member(None, None, None, ended("a")), Skip.EXPIRED, "expired"),
    (GENERATE, member(None, None, None, ended("a")), Skip.CHANGED_SINCE, "cancelled"),
    (GENERATE, member(NEWER, None, None, ended("a")), Skip.CHANGED_SINCE, "replaced"),
    (REMOVE, member(NEWER, None, None, ended("a")), Skip.CHANGED_SINCE, None),
    (REMOVE, member(None, live("x"), None, ended("a")), Skip.CHANGED_SINCE, None),
    (REMOVE, member(None, None, None, ended("a", barred=True)), Skip.BARRED, None),
    (REMOVE, member(None, None, None, ended("a", expired=True)), Skip.EXPIRED, None),
    (REMOVE, member(None, None, None, ended("a", secret=False, moved=True)), Skip.CHANGED_SINCE,
     None),
    (GENERATE, member(MADE, None, ended("p"), ended("a", barred=True)), Skip.BARRED, None),
    (GENERATE, member(NEWER, None, None, ended("a", barred=True)), Skip.BARRED, "replaced"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "one", "ends", "back"), RESTORED)
def test_a_member_who_has_what_was_left_is_restored(action, one, ends, back):
    """What the operation made ends, and what it ended comes back."""
    snapshot = look(one, action)
    assert (snapshot.ends, snapshot.revives, snapshot.skip) == (ends, back, None)


@pytest.mark.parametrize(("action", "one", "skip", "fate"), SKIPPED)
def test_a_member_who_has_anything_else_is_skipped_with_the_reason(action, one, skip, fate):
    """Nothing of the member changes. `fate` is what became of the row that was made."""
    fates = [RowFate("n", DONE, TokenState(fate), barred=False)] if fate else []
    snapshot = look(one, action, *fates)
    assert (snapshot.ends, snapshot.revives, snapshot.skip) == (None, (), skip)


def test_a_new_token_that_was_recalled_is_named_as_leaked():
    """Not as changed by the recall's operation."""
    fate = RowFate("n", DONE, TokenState.CANCELLED, barred=True)
    assert look(member(None, None, None, ended("a")), GENERATE, fate).skip is Skip.BARRED


def test_operations_that_are_undone_together_left_nothing_of_each_other():
    """An off-boarding removed the token, then cancelled the request."""
    one = member(None, None, ended("p", "second"), ended("a"))
    done = operation(REMOVE)
    assert has_what_was_left(one, done, {DONE, "second"})
    assert not has_what_was_left(one, done, {DONE})


def test_the_preview_counts_tokens_and_requests_apart():
    """A request has no secret."""
    members = [
        member(MADE, None, ended("p", secret=False), ended("a")),
        member(None, None, None, ended("b"))._replace(member_id="other"),
    ]
    seen = {one.member_id: look(one, GENERATE) for one in members}
    counts = undo_preview(operation(GENERATE), members, seen)
    assert [getattr(counts, name) for name in counts.NUMBERS] == [2, 1, 1, 1, 1, 0]
    assert [user.reason for user in counts.skipped] == [Skip.CHANGED_SINCE]


def test_a_snapshot_names_the_holding_and_changes_the_digest():
    """Of the live rows of now."""
    snapshot = look(member(MADE, live("a"), None, KEPT), REQUEST)
    assert snapshot.holding is Holding.BOTH
    other = snapshot._replace(accepted_token="b")  # noqa: S106 - an id
    assert undo_digest({"m": snapshot}) != undo_digest({"m": other})


@pytest.mark.parametrize(
    ("facts", "days", "at", "refusal"),
    [
        ({}, 7, NOW + 7 * DAY, None),
        ({}, 7, NOW + 7 * DAY + 1, UndoRefusal.TOO_LATE),
        ({}, 0, NOW, UndoRefusal.OFF),
        ({"undone_by": "u"}, 7, NOW, UndoRefusal.UNDONE),
        ({"cause": Cause.OFF_BOARDING}, 7, NOW, None),
        ({"cause": Cause.UNDO}, 7, NOW, UndoRefusal.IS_UNDO),
        ({"cause": Cause.RECALL}, 7, NOW, UndoRefusal.IS_RECALL),
        ({"cause": Cause.UNKNOWN}, 7, NOW, UndoRefusal.OLD_BATCH),
    ],
)
def test_an_operation_is_refused_as_a_whole(facts, days, at, refusal):
    """By its cause, by an earlier undo, by the setting, and by time alone."""
    assert undo_refusal(operation(REMOVE, **facts), days, at) is refusal
