"""Two at once: one effect for each operation, and the loser is told."""

import threading
from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Engine

from lib.domain.clock import HOUR
from lib.domain.errors import DeskError, PlanOutdatedError
from lib.domain.plan import Plan
from lib.domain.states import Action, Holding
from lib.operations.actions import Outcome, execute
from lib.operations.off_boarding import off_board, plan_off_boarding
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
    """Make the calls at the same moment, each in a thread; return what came of each."""
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


def carrying_out(engine: Engine, planned: Plan) -> Callable[[], Outcome]:
    """Return the call that carries out a plan."""
    return lambda: execute(unit_of_work(engine, later), by(planned), planned, MINTING)


class TestTwoPlans:
    """Two administrators confirmed the same users."""

    @pytest.mark.parametrize(
        ("one", "other"), [(Action.GENERATE, Action.GENERATE), (Action.GENERATE, Action.REQUEST)]
    )
    def test_one_wins_and_the_other_is_told(self, engine, one, other):
        """Never both and never neither; what the winner made is what is there."""
        ids = build(engine, 3)
        second = add_administrator(engine)
        for _ in range(RUNS):
            plans = [plan(engine, one, ids), plan(engine, other, ids, actor=second)]
            results = at_once(*(carrying_out(engine, planned) for planned in plans))
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

    def test_other_users_do_not_collide(self, engine):
        """Two plans for different users both go through, one after the other."""
        ids = build(engine, 4)
        for _ in range(RUNS):
            plans = [plan(engine, Action.GENERATE, half) for half in (ids[:2], ids[2:])]
            results = at_once(*(carrying_out(engine, planned) for planned in plans))
            tokens = [token for outcome in results for token in exported(outcome)]
            assert live_matches(engine, tokens) == [1] * 4

    def test_other_organizations_do_not_collide(self, engine):
        """Each has its own lock."""
        places = {name: build(engine, 2, organization_id=name) for name in (ORG, "NVTBL2")}
        for _ in range(RUNS):
            plans = [
                plan(engine, Action.GENERATE, ids, organization_id=name)
                for name, ids in places.items()
            ]
            results = at_once(*(carrying_out(engine, planned) for planned in plans))
            assert [result.receipt.changed for result in results] == [2, 2]


class TestOnePlanTwice:
    """A double click, a second tab, a replay."""

    def test_one_effect_and_one_file(self, engine):
        """Both get the receipt, one gets the file."""
        ids = build(engine, 3)
        for _ in range(RUNS):
            call = carrying_out(engine, plan(engine, Action.GENERATE, ids))
            results = at_once(call, call)
            assert results[0].receipt == results[1].receipt
            (csv,) = [result.csv for result in results if result.csv is not None]
            assert csv
        revisions = select(engine, "SELECT count(*), count(DISTINCT confirmed_at) FROM operation")
        assert revisions == [(RUNS, 1)]
        assert select(engine, "SELECT count(*) FROM token") == [(3 * RUNS,)]

    def test_eight_at_once(self, engine):
        """However many come."""
        ids = build(engine, 3)
        call = carrying_out(engine, plan(engine, Action.GENERATE, ids))
        results = at_once(*[call] * 8)
        assert all(a.receipt == b.receipt for a, b in pairwise(results))
        assert [result.csv is not None for result in results].count(True) == 1


class TestFourEyes:
    """One person at once in several organizations."""

    LIMIT = 3

    def places(self, engine: Engine) -> dict[str, list[str]]:
        """Two organizations with two users each: one alone is within the limit, both are not."""
        return {name: build(engine, 2, organization_id=name) for name in (ORG, "NVTBL2")}

    def generating(
        self, engine: Engine, place: str, ids: list[str], now: int
    ) -> Callable[[], Outcome]:
        """Return the call that generates for the users of a place at a moment."""
        planned = plan(engine, Action.GENERATE, ids, organization_id=place)
        book = unit_of_work(engine, lambda: now, four_eyes=self.LIMIT)
        return lambda: execute(book, by(planned), planned, MINTING)

    def test_two_organizations_do_not_both_pass(self, engine):
        """One is carried out, the other needs approval; never both and never neither."""
        places = self.places(engine)
        for run in range(RUNS):
            now = NOW + 2 * run * HOUR
            results = at_once(
                *(self.generating(engine, place, ids, now) for place, ids in places.items())
            )
            names = sorted(getattr(result, "code", type(result).__name__) for result in results)
            assert names == ["ApprovalMissing", "Outcome"]

    def test_nobody_waits_in_a_circle(self, engine):
        """Beside an off-boarding, which locks both organizations in one transaction."""
        places = self.places(engine)
        leaver = {name: ids.pop(0) for name, ids in places.items()}
        change(engine, "UPDATE member SET username = 'utcjf1-u0' WHERE username = 'nvtbl2-u0'")
        for run in range(RUNS):
            for place, member_id in leaver.items():
                give(engine, member_id, Holding.PENDING, organization_id=place)
            leaving = plan_off_boarding(unit_of_work(engine), ADMIN, "utcjf1-u0")
            now = NOW + 2 * run * HOUR
            results = at_once(
                *(self.generating(engine, place, ids, now) for place, ids in places.items()),
                lambda leaving=leaving: off_board(unit_of_work(engine, later), ADMIN, leaving),
            )
            assert [len(receipts) for receipts in results[2:]] == [2]
            assert [type(result) for result in results[:2]] == [Outcome] * 2
