"""Undo: the SQL does to each member what lib.domain.undo says, on both engines."""

from dataclasses import replace
from itertools import chain

import pytest
from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.errors import (
    NotAllowedError,
    NothingToDoError,
    NotUndoableError,
    PlanOutdatedError,
    UnknownOperationError,
)
from lib.domain.operations import SkippedUser
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, Cause, ExistingTokens, Holding, Skip
from lib.domain.undo import UndoRefusal
from lib.operations import own_tokens, recall
from lib.operations.actions import execute
from lib.operations.leak_reader.reader import pasted
from lib.operations.undo import (
    plan_undo,
    plan_undo_by_command,
    read_undo_state,
    undo,
    undo_by_command,
)
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.engine import writing
from tests.support.actions import (
    LATER,
    OTHER_ADMIN,
    act,
    add_administrator,
    change,
    everything,
    exported,
    give,
    live_matches,
    plan,
    select,
)
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, ORG, add_staff, build, by, unit_of_work
from tests.support.undo import UNDONE_AT, live_facts, plan_undo_at, undo_at

STOP, KEEP = ExistingTokens
ACTS = [*((action, STOP) for action in Action), (Action.GENERATE, KEEP)]
EACH_ACT = pytest.mark.parametrize(("action", "existing_tokens"), ACTS)
CHAIN = [
    (Action.REMOVE, STOP),
    (Action.REQUEST, STOP),
    (Action.GENERATE, KEEP),
    (Action.CANCEL, STOP),
    (Action.REQUEST, STOP),
    (Action.GENERATE, STOP),
    (Action.GENERATE, KEEP),
]
USER = Actor("utcjf1-u0", "User")


def act_on_all(engine: Engine, action: Action, existing_tokens: ExistingTokens) -> tuple:
    """Act on a user for each holding; return tokens, rows before, operation and outcome."""
    ids = build(engine, len(Holding))
    tokens = [give(engine, m, h) for m, h in zip(ids, Holding, strict=True)]
    before = live_facts(engine)
    planned, outcome = act(engine, action, ids, existing_tokens=existing_tokens)
    return list(chain.from_iterable(tokens)), before, planned.operation_id, outcome


def generate_for_one(engine: Engine, **facts: object) -> tuple[str, str, str, str]:
    """Give a user a token and replace it; return member, operation, old token and new token."""
    (member,) = build(engine, 1)
    (old,) = give(engine, member, Holding.ACCEPTED, **facts)
    planned, outcome = act(engine, Action.GENERATE, [member])
    return member, planned.operation_id, old, exported(outcome)[0]


def reason(engine: Engine, operation_id: str, *, at: int = UNDONE_AT) -> Skip:
    """Return why the one user is skipped; nothing happens to a plan that restores nobody."""
    planned = plan_undo_at(engine, operation_id, at=at)
    ((_, _, skip),) = planned.preview.skipped
    before = everything(engine)
    with pytest.raises(NothingToDoError):
        undo(unit_of_work(engine, lambda: at), ADMIN, planned)
    assert everything(engine) == before
    return skip


class TestRestored:
    """Each user has again what they had before the operation."""

    @EACH_ACT
    def test_live_rows_are_those_from_before_the_operation(self, engine, action, existing_tokens):
        """For each holding: the same tokens with the same times, in new rows."""
        tokens, before, operation_id, outcome = act_on_all(engine, action, existing_tokens)
        made = exported(outcome)
        (receipt,) = undo_at(engine, operation_id)
        assert live_facts(engine) == before
        assert live_matches(engine, tokens) == [1] * len(tokens)
        assert live_matches(engine, made) == [0] * len(made)
        assert receipt.changed == outcome.receipt.changed
        assert (receipt.cause, receipt.undoes, receipt.action) == (
            Cause.UNDO,
            operation_id,
            action,
        )
        revived = select(
            engine,
            "SELECT n.created_at, o.state, o.digest, o.pepper, o.hint = n.hint, o.ended_from"
            " FROM token n JOIN token o ON o.token_id = n.revives",
        )
        assert all(r[0] == UNDONE_AT and r[2:5] == (None, None, True) for r in revived)

    @EACH_ACT
    def test_rows_that_the_operation_made_end_as_undone(self, engine, action, existing_tokens):
        """They keep their digest, so that a recall finds them."""
        *_, operation_id, outcome = act_on_all(engine, action, existing_tokens)
        (receipt,) = undo_at(engine, operation_id)
        made = select(
            engine,
            "SELECT state, ended_from, ended_at, ended_by_operation, digest IS NULL FROM token"
            " WHERE made_by_operation = :id",
            id=operation_id,
        )
        is_request = action is Action.REQUEST
        makes = action in {Action.REQUEST, Action.GENERATE}
        wanted = ("undone", "pending", UNDONE_AT, receipt.operation_id, is_request)
        assert [(*row[:4], bool(row[4])) for row in made] == [wanted] * len(made)
        assert len(made) == (outcome.receipt.changed if makes else 0)

    def test_a_token_is_as_old_as_before_and_keeps_its_jti(self, engine):
        """Introspection's iat and jti, and the user's page says restored."""
        member, operation_id, old, _ = generate_for_one(engine)
        (first,) = select(engine, "SELECT token_id FROM token WHERE made_by_operation IS NULL")
        for _ in range(2):  # a chain of revived rows
            undo_at(engine, operation_id)
            operation_id = act(engine, Action.REMOVE, [member])[0].operation_id
        undo_at(engine, operation_id)
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        found = verifier.check(old)
        assert (found.jti, found.issued_at) == (first[0], NOW - 60_000)
        assert found.token_id != found.jti
        (own,) = own_tokens.list_own(engine, lambda: UNDONE_AT, USER)
        assert (own.restored, own.issued_at, own.created_at) == (True, NOW - 60_000, UNDONE_AT)
        verifier.close()

    @pytest.mark.parametrize("table", ["member", "organization", "subscription"])
    def test_inactivity_is_no_reason_to_skip(self, engine, table):
        """The token verifies when it is active again."""
        _, operation_id, old, _ = generate_for_one(engine)
        change(engine, f"UPDATE {table} SET status = 'inactive'")
        undo_at(engine, operation_id)
        assert live_matches(engine, [old]) == [1]

    def test_operations_are_undone_one_after_the_other_newest_first(self, engine):
        """After all of them everybody has what they had at the beginning."""
        ids = build(engine, len(Holding))
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        states, done = [], []
        for action, existing_tokens in CHAIN:
            states.append(live_facts(engine))
            done.append(act(engine, action, ids, existing_tokens=existing_tokens)[0].operation_id)
        for before, operation_id in zip(reversed(states), reversed(done), strict=True):
            (receipt,) = undo_at(engine, operation_id)
            assert receipt.skipped == ()
            assert live_facts(engine) == before

    def test_only_users_of_the_operation_are_restored(self, engine):
        """Users whom the operation skipped, and others, are not part of it."""
        ids = build(engine, 3)
        for member_id in ids:
            give(engine, member_id, Holding.ACCEPTED)
        act(engine, Action.REMOVE, ids[2:])
        change(engine, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[1])
        planned, _ = act(engine, Action.GENERATE, ids[:2])
        (receipt,) = undo_at(engine, planned.operation_id)
        assert (receipt.changed, receipt.skipped) == (1, ())
        assert len(live_facts(engine)) == 2


class TestSkipped:
    """A user who no longer has what the operation left is skipped, and named with the reason."""

    def test_whoever_used_the_new_token_keeps_it_and_the_others_are_restored(self, engine):
        """One of twelve users used the new token in between."""
        ids = build(engine, 12)
        old = [give(engine, member_id, Holding.ACCEPTED)[0] for member_id in ids]
        planned, outcome = act(engine, Action.GENERATE, ids)
        new = exported(outcome)
        verifier = TokenVerifier(unit_of_work(engine, lambda: LATER), MINTING)
        assert verifier.check(new[4])
        verifier.uses.flush()
        (receipt,) = undo_at(engine, planned.operation_id)
        skipped = SkippedUser("User 000004", "utcjf1-u4", Skip.ACCEPTED_SINCE)
        assert (receipt.changed, receipt.skipped) == (11, (skipped,))
        assert live_matches(engine, old) == [int(n != 4) for n in range(12)]
        assert live_matches(engine, new) == [int(n == 4) for n in range(12)]
        results = select(engine, "SELECT result FROM operation_result WHERE operation_id = :id"
                         " ORDER BY member_id", id=receipt.operation_id)  # fmt: skip
        assert results == [("accepted or used since" if n == 4 else "done",) for n in range(12)]
        verifier.close()

    @pytest.mark.parametrize(
        ("step", "skip"),
        [("accept", Skip.ACCEPTED_SINCE), ("decline", Skip.DECLINED_SINCE)],
    )
    @pytest.mark.parametrize(
        ("action", "existing_tokens"), [each for each in ACTS if each[0] is not Action.CANCEL]
    )
    def test_a_step_of_the_user_is_named(self, engine, action, existing_tokens, step, skip):
        """A pending row was accepted or declined after the operation; a cancel leaves none."""
        (member,) = build(engine, 1)
        give(engine, member, Holding.BOTH if action is Action.REMOVE else Holding.ACCEPTED)
        planned, _ = act(engine, action, [member], existing_tokens=existing_tokens)
        books = unit_of_work(engine, lambda: LATER)
        (pending,) = [o for o in own_tokens.list_own(engine, lambda: LATER, USER)
                      if o.state == "pending"]  # fmt: skip
        if step == "accept":
            own_tokens.accept(books, USER, pending, MINTING)
        else:
            own_tokens.decline(books, USER, pending)
        assert reason(engine, planned.operation_id) is skip

    @pytest.mark.parametrize("later", Action)
    def test_a_later_operation_is_named(self, engine, later):
        """Whatever it did. After its own undo the first one can be undone."""
        (member,) = build(engine, 1)
        give(engine, member, Holding.BOTH)
        action = Action.CANCEL if later in {Action.REMOVE, Action.REQUEST} else Action.REMOVE
        first, _ = act(engine, action, [member])
        second, _ = act(engine, later, [member])
        assert reason(engine, first.operation_id) is Skip.CHANGED_SINCE
        undo_at(engine, second.operation_id)
        assert undo_at(engine, first.operation_id)[0].changed == 1

    @pytest.mark.parametrize("at", [UNDONE_AT, UNDONE_AT + DAY])
    def test_a_token_that_expired_does_not_come_back(self, engine, at):
        """Neither the old one, nor in place of a new one that expired."""
        _, operation_id, *_ = generate_for_one(engine, expires_at=UNDONE_AT)
        if at > UNDONE_AT:
            change(engine, "UPDATE token SET expires_at = :at WHERE state = 'pending'", at=LATER)
            change(engine, "UPDATE token SET expires_at = NULL WHERE state = 'replaced'")
        assert reason(engine, operation_id, at=at) is Skip.EXPIRED

    def test_a_lapsed_request_does_not_keep_the_token_from_coming_back(self, engine):
        """Only what could still be used comes back."""
        (member,) = build(engine, 1)
        give(engine, member, Holding.BOTH)
        change(engine, "UPDATE token SET expires_at = :at WHERE state = 'pending'", at=UNDONE_AT)
        planned, _ = act(engine, Action.GENERATE, [member])
        undo_at(engine, planned.operation_id)
        assert select(engine, "SELECT state FROM token WHERE ended_at IS NULL") == [("accepted",)]

    def test_a_digest_that_has_moved_moves_no_second_time(self, engine):
        """As in a database that somebody changed by hand."""
        _, operation_id, *_ = generate_for_one(engine)
        change(engine, "UPDATE token SET digest = NULL WHERE state = 'replaced'")
        assert reason(engine, operation_id) is Skip.CHANGED_SINCE


class TestBarred:
    """A token that Recall or /revoke has named never lives again."""

    def name(self, engine: Engine, how: str, token: str) -> None:
        """Name a token, live or ended."""
        books = unit_of_work(engine, lambda: LATER)
        if how == "recall":
            recall.end(books, ADMIN, recall.look_up(books, ADMIN, [pasted(f"x {token}")], MINTING))
        else:
            verifier = TokenVerifier(books, MINTING)
            verifier.revoke(token, "192.0.2.9")
            verifier.close()

    @pytest.mark.parametrize("how", ["recall", "revoke"])
    def test_a_replaced_token_that_was_named_stays_ended_and_the_others_come_back(
        self, engine, how
    ):
        """Generate & Export, Recall of a replaced token, Undo."""
        ids = build(engine, 3)
        old = [give(engine, member_id, Holding.ACCEPTED)[0] for member_id in ids]
        planned, outcome = act(engine, Action.GENERATE, ids)
        self.name(engine, how, old[1])
        if how == "revoke":
            self.name(engine, how, old[1])
        (receipt,) = undo_at(engine, planned.operation_id)
        assert [user.reason for user in receipt.skipped] == [Skip.BARRED]
        assert live_matches(engine, old) == [1, 0, 1]
        assert live_matches(engine, exported(outcome)) == [0, 1, 0]
        assert select(
            engine, "SELECT subject, users, detail FROM audit_event WHERE action = 'bar'"
        ) == [("", 1, "recall") if how == "recall"
              else ("utcjf1-u1", 1, "revoke, asked by its holder")]  # fmt: skip

    @pytest.mark.parametrize("how", ["recall", "revoke"])
    def test_a_live_token_that_was_named_is_barred_as_well(self, engine, how):
        """The undo of the export before it restores nothing."""
        _, operation_id, _, new = generate_for_one(engine)
        self.name(engine, how, new)
        assert select(engine, "SELECT state, barred_at FROM token WHERE barred_at IS NOT NULL") == [
            ("cancelled", LATER)
        ]
        assert reason(engine, operation_id) is Skip.BARRED

    @pytest.mark.parametrize("how", ["recall", "revoke"])
    def test_a_revived_token_is_found_once_and_ended(self, engine, how):
        """The row that it came from has no digest."""
        _, operation_id, old, _ = generate_for_one(engine)
        undo_at(engine, operation_id, at=LATER)
        found = recall.look_up(unit_of_work(engine), ADMIN, [pasted(old)], MINTING)
        assert [leaked.state for leaked in found.leaked] == ["accepted"]
        self.name(engine, how, old)
        assert live_matches(engine, [old]) == [0]

    def test_a_recall_is_outdated_by_an_undo_between_look_up_and_end(self, engine):
        """The token was ended at the look-up and lives again: it must be looked up again."""
        _, operation_id, old, _ = generate_for_one(engine)
        books = unit_of_work(engine, lambda: UNDONE_AT)
        found = recall.look_up(books, ADMIN, [pasted(old)], MINTING)
        assert (found.ending, found.barring) == (0, 1)
        undo_at(engine, operation_id)
        with pytest.raises(PlanOutdatedError):
            recall.end(books, ADMIN, found)
        self.name(engine, "recall", old)
        assert live_matches(engine, [old]) == [0]

    def test_a_widened_recall_finds_revived_tokens_of_the_same_operation(self, engine):
        """They keep the operation whose file holds them."""
        ids = build(engine, 3)
        _, outcome = act(engine, Action.GENERATE, ids)
        second, _ = act(engine, Action.GENERATE, ids)
        undo_at(engine, second.operation_id, at=LATER)
        books = unit_of_work(engine, lambda: LATER)
        found = recall.look_up(books, ADMIN, [pasted(exported(outcome)[0])], MINTING)
        assert recall.widen(books, ADMIN, found).ending == 3


class TestRefused:
    """An undo as a whole."""

    def refused(self, engine: Engine, operation_id: str, refusal: UndoRefusal, at=UNDONE_AT):
        """Expect the refusal from the plan, and from the state that a page reads."""
        before = everything(engine)
        with pytest.raises(NotUndoableError) as caught:
            plan_undo_at(engine, operation_id, at=at)
        assert caught.value.refusal is refusal
        state = read_undo_state(unit_of_work(engine, lambda: at), ADMIN, ORG, operation_id)
        assert (state.refusal, state.allowed) == (refusal, True)
        assert everything(engine) == before

    def test_after_the_time_is_over(self, engine):
        """By time alone: to the millisecond seven days after the operation."""
        _, operation_id, old, _ = generate_for_one(engine)
        planned = plan_undo_at(engine, operation_id, at=LATER + 7 * DAY)
        self.refused(engine, operation_id, UndoRefusal.TOO_LATE, LATER + 7 * DAY + 1)
        with pytest.raises(NotUndoableError):
            undo(unit_of_work(engine, lambda: LATER + 7 * DAY + 1), ADMIN, planned)
        undo(unit_of_work(engine, lambda: LATER + 7 * DAY), ADMIN, planned)
        assert live_matches(engine, [old]) == [1]

    def test_never_when_it_is_switched_off(self, engine):
        """TOKEN_DESK_UNDO_DAYS is 0."""
        _, operation_id, *_ = generate_for_one(engine)
        books = replace(unit_of_work(engine, lambda: UNDONE_AT), undo_days=0)
        with pytest.raises(NotUndoableError) as caught:
            plan_undo(books, ADMIN, ORG, operation_id)
        assert caught.value.refusal is UndoRefusal.OFF

    def test_a_second_time(self, engine):
        """Also when the second undo was planned before the first one was executed."""
        _, operation_id, *_ = generate_for_one(engine)
        planned = [plan_undo_at(engine, operation_id) for _ in range(2)]
        books = unit_of_work(engine, lambda: UNDONE_AT)
        receipts = undo(books, ADMIN, planned[0])
        self.refused(engine, operation_id, UndoRefusal.UNDONE)
        with pytest.raises(NotUndoableError):
            undo(books, ADMIN, planned[1])
        assert undo(books, ADMIN, planned[0]) == receipts
        self.refused(engine, receipts[0].operation_id, UndoRefusal.IS_UNDO)
        state = read_undo_state(books, ADMIN, ORG, operation_id)
        assert state.undone_by == receipts[0].operation_id

    def test_a_recall(self, engine):
        """Its tokens have leaked."""
        (member,) = build(engine, 1)
        (token,) = give(engine, member, Holding.ACCEPTED)
        books = unit_of_work(engine, lambda: LATER)
        found = recall.look_up(books, ADMIN, [pasted(token)], MINTING)
        (receipt,) = recall.end(books, ADMIN, found)
        assert receipt.cause is Cause.RECALL
        self.refused(engine, receipt.operation_id, UndoRefusal.IS_RECALL)

    def test_an_operation_that_there_is_not(self, engine):
        """A foreign organization is not told whether there is one."""
        build(engine, 1)
        with pytest.raises(UnknownOperationError):
            plan_undo_at(engine, "nothing")
        with pytest.raises(NotAllowedError):
            plan_undo_at(engine, "nothing", actor=USER)
        with pytest.raises(UnknownOperationError):
            plan_undo_by_command(unit_of_work(engine), "nothing")

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.ANALYST])
    def test_without_the_permission_of_the_operation(self, engine, role):
        """Support may take back a removal, but no export."""
        ids = build(engine, 2)
        with writing(engine) as connection:
            add_staff(connection, "someone", "Some One", Grant(role))
        for member_id in ids:
            give(engine, member_id, Holding.ACCEPTED)
        generated, _ = act(engine, Action.GENERATE, ids[:1])
        removed, _ = act(engine, Action.REMOVE, ids[1:])
        someone = Actor("someone", "Some One")
        with pytest.raises(NotAllowedError):
            plan_undo_at(engine, generated.operation_id, actor=someone)
        if role is Role.SUPPORT:
            assert undo_at(engine, removed.operation_id, actor=someone)[0].actor == "someone"
        else:
            with pytest.raises(NotAllowedError):
                plan_undo_at(engine, removed.operation_id, actor=someone)

    def test_when_the_role_ended_between_preview_and_click(self, engine):
        """And by another person than the one who saw the preview."""
        _, operation_id, *_ = generate_for_one(engine)
        add_administrator(engine)
        planned = plan_undo_at(engine, operation_id)
        books = unit_of_work(engine, lambda: UNDONE_AT)
        with pytest.raises(NotAllowedError):
            undo(books, OTHER_ADMIN, planned)
        change(engine, "DELETE FROM role_grant WHERE username = 'mhale'")
        with pytest.raises(NotAllowedError):
            undo(books, ADMIN, planned)
        assert select(engine, "SELECT count(*) FROM operation") == [(1,)]

    def test_when_a_user_changed_between_preview_and_click(self, engine):
        """The error names them. Nothing is written."""
        ids = build(engine, 2)
        planned, _ = act(engine, Action.GENERATE, ids)
        undoing = plan_undo_at(engine, planned.operation_id)
        act(engine, Action.CANCEL, ids[1:])
        before = everything(engine)
        with pytest.raises(PlanOutdatedError) as caught:
            undo(unit_of_work(engine, lambda: UNDONE_AT), ADMIN, undoing)
        assert [user.username for user in caught.value.changed] == ["utcjf1-u1"]
        assert everything(engine) == before

    def test_another_confirmation_of_the_same_users_is_outdated_by_an_undo(self, engine):
        """Another administrator had seen the new tokens."""
        ids = build(engine, 2)
        planned, _ = act(engine, Action.GENERATE, ids)
        other = plan(engine, Action.GENERATE, ids, actor=add_administrator(engine))
        seen = plan(engine, Action.CANCEL, ids, actor=OTHER_ADMIN)
        undo_at(engine, planned.operation_id)
        for outdated in (other, seen):
            with pytest.raises(PlanOutdatedError):
                execute(unit_of_work(engine), by(outdated), outdated, MINTING)


class TestRecorded:
    """An undo is an operation of its own, with its event."""

    def test_the_event_names_the_undone_operation_and_the_reason(self, engine):
        """With the digest of the plan, like every operation."""
        _, operation_id, *_ = generate_for_one(engine)
        planned = plan_undo_at(engine, operation_id)
        undo(unit_of_work(engine), ADMIN, planned, reason="wrong\nlist")
        assert select(
            engine,
            "SELECT actor, operation_id, users, users_digest, reason, detail FROM audit_event"
            " WHERE action = 'undo'",
        ) == [
            (
                "mhale",
                planned.parts[0].operation_id,
                1,
                planned.parts[0].digest,
                "wrong list",
                f"generate {operation_id}",
            )
        ]

    def test_undone_tokens_still_count_for_four_eyes_and_the_undo_does_not(self, engine):
        """The person has had them."""
        ids = build(engine, 4)
        planned, _ = act(engine, Action.GENERATE, ids[:2])
        undo_at(engine, planned.operation_id, at=LATER)
        assert select(engine, "SELECT sum(changed) FROM operation WHERE action = 'generate'") == [
            (4,)
        ]
        books = unit_of_work(engine, lambda: UNDONE_AT, four_eyes=3)
        again = plan(engine, Action.GENERATE, ids[2:3])
        assert execute(books, ADMIN, again, MINTING).csv

    def test_a_command_undoes_without_a_permission(self, engine):
        """The event has no actor, and the operation the account of the commands."""
        _, operation_id, old, _ = generate_for_one(engine)
        books = unit_of_work(engine, lambda: UNDONE_AT)
        (receipt,) = undo_by_command(books, plan_undo_by_command(books, operation_id))
        assert receipt.actor == "command-line"
        assert live_matches(engine, [old]) == [1]

    @pytest.mark.parametrize("action", Action)
    def test_planning_writes_nothing_and_counts_what_happens(self, engine, action):
        """The numbers of the preview, for a user of each holding."""
        *_, operation_id, _ = act_on_all(engine, action, STOP)
        before = everything(engine)
        counts = plan_undo_at(engine, operation_id).preview
        assert everything(engine) == before
        assert [getattr(counts, name) for name in counts.NUMBERS] == {
            Action.REQUEST: [2, 2, 0, 0, 0, 2],
            Action.CANCEL: [2, 2, 2, 0, 0, 0],
            Action.REMOVE: [2, 2, 2, 0, 0, 0],
            Action.GENERATE: [4, 4, 4, 0, 4, 0],
        }[action]
