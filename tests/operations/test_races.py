"""Two calls at the same time: each operation has one effect, and the other caller gets an error."""

import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import HOUR
from lib.domain.errors import DeskError, PlanOutdatedError
from lib.domain.plan import Plan
from lib.domain.states import Action, Holding
from lib.operations.actions import Outcome, execute
from lib.operations.off_boarding import off_board, plan_off_boarding
from lib.operations.undo import plan_undo, undo
from lib.operations.verification.token_verifier import TokenVerifier
from tests.support.actions import (
    act,
    add_administrator,
    change,
    exported,
    give,
    later,
    live_matches,
    plan,
    select,
)
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, ORG, build, by, unit_of_work

RUNS = 25


def at_once(*calls: Callable[[], Outcome]) -> list[Outcome | DeskError]:
    """Run the calls at the same moment, each in a thread. Return their results or errors."""
    start = threading.Barrier(len(calls))
    results: list[Outcome | DeskError | None] = [None] * len(calls)

    def run(place: int, call: Callable[[], Outcome]) -> None:
        start.wait(30)
        try:
            results[place] = call()
        except DeskError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def executing(engine: Engine, planned: Plan) -> Callable[[], Outcome]:
    """Return the call that executes a plan."""
    return lambda: execute(unit_of_work(engine, later), by(planned), planned, MINTING)


class TestTwoPlans:
    """Two administrators confirm plans for the same users."""

    @pytest.mark.parametrize(
        ("one", "other"), [(Action.GENERATE, Action.GENERATE), (Action.GENERATE, Action.REQUEST)]
    )
    def test_of_two_plans_for_the_same_users_one_is_refused(self, engine, one, other):
        """Never both, never none. The rows are those of the plan that was executed."""
        ids = build(engine, 3)
        second = add_administrator(engine)
        for _ in range(RUNS):
            plans = [plan(engine, one, ids), plan(engine, other, ids, actor=second)]
            results = at_once(*(executing(engine, planned) for planned in plans))
            winners = [result for result in results if isinstance(result, Outcome)]
            losers = [result for result in results if isinstance(result, PlanOutdatedError)]
            assert (len(winners), len(losers)) == (1, 1)
            assert len(losers[0].changed) == 3
            made = select(
                engine, "SELECT DISTINCT made_by_operation FROM token WHERE ended_at IS NULL"
            )
            assert made == [(winners[0].receipt.operation_id,)]
            act(engine, Action.CANCEL, ids)
        assert select(engine, "SELECT count(*) FROM operation") == [(2 * RUNS,)]

    def test_two_plans_for_different_users_are_both_executed(self, engine):
        """One after the other."""
        ids = build(engine, 4)
        for _ in range(RUNS):
            plans = [plan(engine, Action.GENERATE, half) for half in (ids[:2], ids[2:])]
            results = at_once(*(executing(engine, planned) for planned in plans))
            tokens = [token for outcome in results for token in exported(outcome)]
            assert live_matches(engine, tokens) == [1] * 4

    def test_plans_in_different_organizations_do_not_wait_for_each_other(self, engine):
        """Each organization has its own lock."""
        places = {name: build(engine, 2, organization_id=name) for name in (ORG, "NVTBL2")}
        for _ in range(RUNS):
            plans = [
                plan(engine, Action.GENERATE, ids, organization_id=name)
                for name, ids in places.items()
            ]
            results = at_once(*(executing(engine, planned) for planned in plans))
            assert [result.receipt.changed for result in results] == [2, 2]


class TestOnePlanTwice:
    """A double click, a second tab, or a replay."""

    def test_two_calls_of_a_plan_get_the_receipt_and_one_the_file(self, engine):
        """There is one operation."""
        ids = build(engine, 3)
        for _ in range(RUNS):
            call = executing(engine, plan(engine, Action.GENERATE, ids))
            results = at_once(call, call)
            assert results[0].receipt == results[1].receipt
            (csv,) = [result.csv for result in results if result.csv is not None]
            assert csv
        revisions = select(engine, "SELECT count(*), count(DISTINCT confirmed_at) FROM operation")
        assert revisions == [(RUNS, 1)]
        assert select(engine, "SELECT count(*) FROM token") == [(3 * RUNS,)]

    def test_eight_calls_of_a_plan_make_one_operation(self, engine):
        """There is one file."""
        ids = build(engine, 3)
        call = executing(engine, plan(engine, Action.GENERATE, ids))
        results = at_once(*[call] * 8)
        assert all(a.receipt == b.receipt for a, b in pairwise(results))
        assert [result.csv is not None for result in results].count(True) == 1


class TestFourEyes:
    """One person generates in several organizations at the same time."""

    LIMIT = 3

    def places(self, engine: Engine) -> dict[str, list[str]]:
        """Two organizations with two users each. One is within the limit, both together are not."""
        return {name: build(engine, 2, organization_id=name) for name in (ORG, "NVTBL2")}

    def generating(
        self, engine: Engine, place: str, ids: list[str], now: int
    ) -> Callable[[], Outcome]:
        """Return the call that generates tokens for the users of an organization."""
        planned = plan(engine, Action.GENERATE, ids, organization_id=place)
        book = unit_of_work(engine, lambda: now, four_eyes=self.LIMIT)
        return lambda: execute(book, by(planned), planned, MINTING)

    def test_of_two_exports_at_once_one_needs_approval(self, engine):
        """Never both, never none."""
        places = self.places(engine)
        for run in range(RUNS):
            now = NOW + 2 * run * HOUR
            results = at_once(
                *(self.generating(engine, place, ids, now) for place, ids in places.items())
            )
            names = sorted(getattr(result, "code", type(result).__name__) for result in results)
            assert names == ["ApprovalMissing", "Outcome"]

    def test_exports_and_an_off_boarding_at_once_do_not_deadlock(self, engine):
        """The off-boarding locks both organizations in one transaction."""
        places = self.places(engine)
        leaver = {name: ids.pop(0) for name, ids in places.items()}
        change(engine, "UPDATE member SET username = 'utcjf1-u0' WHERE username = 'nvtbl2-u0'")
        for run in range(RUNS):
            for place, member_id in leaver.items():
                give(engine, member_id, Holding.PENDING, organization_id=place)
            off_boarding = plan_off_boarding(unit_of_work(engine), ADMIN, "utcjf1-u0")
            now = NOW + 2 * run * HOUR
            results = at_once(
                *(self.generating(engine, place, ids, now) for place, ids in places.items()),
                lambda off_boarding=off_boarding: off_board(
                    unit_of_work(engine, later), ADMIN, off_boarding
                ),
            )
            assert [len(receipts) for receipts in results[2:]] == [2]
            assert [type(result) for result in results[:2]] == [Outcome] * 2


class TestUndo:
    """An undo at the same moment as something else about the same users."""

    def undoing(self, engine: Engine, operation_id: str, actor: Actor = ADMIN) -> Callable:
        """Return the call that executes an undo which is planned now."""
        planned = plan_undo(unit_of_work(engine, later), actor, ORG, operation_id)
        return lambda: undo(unit_of_work(engine, later), actor, planned)

    def test_of_two_undos_of_one_operation_one_is_refused(self, engine):
        """Never both, never none: each digest moves once."""
        ids = build(engine, 3)
        old = [give(engine, member_id, Holding.ACCEPTED)[0] for member_id in ids]
        second = add_administrator(engine)
        for _ in range(RUNS):
            operation_id = act(engine, Action.GENERATE, ids)[0].operation_id
            results = at_once(
                *(self.undoing(engine, operation_id, actor) for actor in (ADMIN, second))
            )
            names = sorted(getattr(result, "code", "done") for result in results)
            assert names == ["NotUndoable", "done"]
            assert live_matches(engine, old) == [1] * 3

    @pytest.mark.parametrize("action", [Action.GENERATE, Action.CANCEL])
    def test_of_an_undo_and_an_action_for_the_same_users_one_is_refused(self, engine, action):
        """The users have what the winner left."""
        ids = build(engine, 3)
        for _ in range(RUNS):
            operation_id = act(engine, Action.GENERATE, ids)[0].operation_id
            planned = plan(engine, action, ids)
            results = at_once(self.undoing(engine, operation_id), executing(engine, planned))
            losers = [result for result in results if isinstance(result, PlanOutdatedError)]
            assert len(losers) == 1
            live = select(engine, "SELECT count(*) FROM token WHERE ended_at IS NULL")
            won = results[0] in losers
            assert live == [(3 if won and action is Action.GENERATE else 0,)]
            if won and action is Action.GENERATE:
                act(engine, Action.CANCEL, ids)

    def test_a_token_that_is_revoked_during_an_undo_never_lives_again(self, engine):
        """Whichever comes first."""
        ids = build(engine, 3)
        for _ in range(RUNS):
            old = [exported(act(engine, Action.GENERATE, [member_id])[1])[0] for member_id in ids]
            operation_id = act(engine, Action.GENERATE, ids)[0].operation_id
            verifier = TokenVerifier(unit_of_work(engine, later), MINTING)
            revoking = partial(verifier.revoke, old[1], "192.0.2.9")
            at_once(self.undoing(engine, operation_id), revoking)
            assert live_matches(engine, old[1:2]) == [0]
            verifier.close()
            act(engine, Action.CANCEL, ids)
