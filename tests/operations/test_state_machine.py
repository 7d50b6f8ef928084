"""The life of tokens in any order of steps, compared with a small model, on both engines.

Two administrators, two organizations, three users. If N runs find no failure, the failure rate is
below about 3/N.
"""

from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from lib.domain.access import Actor
from lib.domain.clock import MINUTE
from lib.domain.errors import (
    NothingToDoError,
    PlanOutdatedError,
    StepRefusedError,
    TokenNotPendingError,
)
from lib.domain.plan import Plan
from lib.domain.states import Action, TokenState
from lib.domain.tokens import OwnToken
from lib.operations.actions import execute, plan_action
from lib.operations.own_tokens import accept, decline, list_own
from lib.store.engine import open_engine, writing
from tests.support.actions import OTHER_ADMIN, TABLES, add_administrator, change, csv_rows, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, SERVICE, build, by, unit_of_work

USERS = {"UTCJF1": 2, "NVTBL2": 1}
#: Runs of forty steps in each run of the suite; the soak does a hundred times as many.
EXAMPLES = {"sqlite": 40, "postgresql": 10}


@dataclass(eq=False)
class Held:
    """A live token or request: the token in clear if anybody has it, and its expiry."""

    token: str | None = None
    until: int | None = None


@dataclass
class User:
    """The model: what one user has, and how each step changes it."""

    active: bool = True
    pending: Held | None = None
    accepted: Held | None = None

    def at(self, now: int) -> "User":
        """Remove what has expired at `now`."""
        lapsed = [held and held.until and held.until <= now for held in self.held()]
        self.pending, self.accepted = (
            None if gone else held for gone, held in zip(lapsed, self.held(), strict=True)
        )
        return self

    def held(self) -> tuple[Held | None, Held | None]:
        """Return the pending and the accepted one."""
        return self.pending, self.accepted

    def refusal(self, action: Action) -> str | None:
        """Return the reason for which an action would skip the user."""
        if action in {Action.REQUEST, Action.GENERATE} and not self.active:
            return "inactive user"
        return {
            Action.REQUEST: "already pending" if self.pending else None,
            Action.CANCEL: None if self.pending else "nothing pending",
            Action.REMOVE: None if self.accepted else "no accepted token",
            Action.GENERATE: None,
        }[action]

    def act(self, action: Action, token: str | None) -> None:
        """Apply an action to a user whom it does not skip."""
        if action is Action.REMOVE:
            self.accepted = None
        elif action is Action.CANCEL:
            self.pending = None
        else:
            self.pending = Held(token)
            self.accepted = None if action is Action.GENERATE else self.accepted


class Planned(NamedTuple):
    """An open confirmation, with the state of the model at its plan."""

    plan: Plan
    saw: list[tuple[object, ...]]


class Lifecycle(RuleBasedStateMachine):
    """Steps in any order. After each step the stored rows must match the model."""

    groups = st.sampled_from(
        [("UTCJF1", [0]), ("UTCJF1", [1]), ("UTCJF1", [0, 1]), ("NVTBL2", [0])]
    )
    people = st.sampled_from([(org, n) for org, users in USERS.items() for n in range(users)])

    def __init__(self, engine: Engine) -> None:
        """Start with users who have nothing."""
        super().__init__()
        self.first_engine = self.engine = engine
        empty(engine)
        self.ids = {org: build(engine, n, organization_id=org) for org, n in USERS.items()}
        add_administrator(engine)
        self.now = NOW
        self.users = {(org, n): User() for org, count in USERS.items() for n in range(count)}
        self.tokens: set[str] = set()
        self.closed: dict[str, tuple[object, ...]] = {}
        self.seen_ids: set[str] = set()
        self.open: Planned | None = None
        self.done: tuple[Plan, object] | None = None

    def clock(self) -> int:
        """Return the current moment of the machine."""
        return self.now

    def teardown(self) -> None:
        """Close the engine that a restart opened."""
        if self.engine is not self.first_engine:
            self.engine.dispose()

    @initialize()
    def begin(self) -> None:
        """Give one user both a token and a request, and one a request: steps rarely lead there."""
        self.act(Action.GENERATE, ("UTCJF1", [0, 1]))
        self.accept(("UTCJF1", 0))
        self.act(Action.REQUEST, ("UTCJF1", [0]))

    @rule(
        admin=st.sampled_from([ADMIN, OTHER_ADMIN]), action=st.sampled_from(Action), selected=groups
    )
    def plan(self, admin: Actor, action: Action, selected: tuple[str, list[int]]) -> None:
        """Plan an action: nothing changes."""
        org, chosen = selected
        ids = [self.ids[org][n] for n in chosen]
        planned = plan_action(
            unit_of_work(self.engine, self.clock), admin, action, org, SERVICE, ids
        )
        self.open = Planned(planned, self.view(planned))
        skipped = [row.reason.value for row in planned.preview.skipped]
        assert skipped == [saw[-1] for saw in self.open.saw if saw[-1]]

    @rule(action=st.sampled_from(Action), selected=groups)
    def act(self, action: Action, selected: tuple[str, list[int]]) -> None:
        """Plan and execute an action, while another confirmation may be open."""
        stands = self.open
        self.plan(ADMIN, action, selected)
        self.confirm()
        self.open = stands

    @precondition(lambda self: self.open)
    @rule()
    def confirm(self) -> None:
        """Execute the open plan, or expect a refusal because its users changed."""
        planned, saw = self.open
        self.open = None
        if all(row[-1] for row in saw):
            with pytest.raises(NothingToDoError):
                execute(unit_of_work(self.engine, self.clock), by(planned), planned, MINTING)
            return
        if self.view(planned) != saw:
            with pytest.raises(PlanOutdatedError):
                execute(unit_of_work(self.engine, self.clock), by(planned), planned, MINTING)
            return
        outcome = execute(unit_of_work(self.engine, self.clock), by(planned), planned, MINTING)
        made = {row["Username"]: row["API Token"] for row in csv_rows(outcome.csv)}
        for who in self.who(planned):
            user = self.users[who].at(self.now)
            if not user.refusal(planned.action):
                user.act(planned.action, made.pop(f"{who[0].lower()}-u{who[1]}", None))
        assert made == {}
        self.done = (planned, outcome.receipt)

    @precondition(lambda self: self.done)
    @rule()
    def confirm_again(self) -> None:
        """Execute a plan again: it returns the receipt."""
        outcome = execute(
            unit_of_work(self.engine, self.clock), by(self.done[0]), self.done[0], MINTING
        )
        assert (outcome.receipt, outcome.csv) == (self.done[1], None)

    @rule(who=people)
    def accept(self, who: tuple[str, int]) -> None:
        """The user accepts the pending one."""
        user, own = self.users[who].at(self.now), self.pending_of(who)
        assert (own is None) == (user.pending is None)
        if own is None:
            return
        if not user.active:
            with pytest.raises(StepRefusedError):
                accept(unit_of_work(self.engine, self.clock), actor(who), own, MINTING)
            return
        token = accept(unit_of_work(self.engine, self.clock), actor(who), own, MINTING)
        assert (token is None) == (user.pending.token is not None)
        # A request's end was the time to answer it; an exported token keeps its own.
        user.accepted, user.pending = Held(token) if token else user.pending, None
        with pytest.raises(TokenNotPendingError):
            accept(unit_of_work(self.engine, self.clock), actor(who), own, MINTING)

    @rule(who=people)
    def decline(self, who: tuple[str, int]) -> None:
        """The user declines the pending one."""
        own = self.pending_of(who)
        if own:
            decline(unit_of_work(self.engine, self.clock), actor(who), own)
            self.users[who].pending = None

    @rule(who=people, minutes=st.integers(1, 5))
    def set_an_end(self, who: tuple[str, int], minutes: int) -> None:
        """A live token or request of the user gets an expiry."""
        until = self.now + minutes * MINUTE
        change(
            self.engine,
            "UPDATE token SET expires_at = :until WHERE member_id = :member AND ended_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > :now)",
            until=until,
            member=self.ids[who[0]][who[1]],
            now=self.now,
        )
        for held in self.users[who].at(self.now).held():
            if held:
                held.until = until

    @rule(minutes=st.integers(1, 5))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.now += minutes * MINUTE

    @rule(who=people)
    def lapse(self, who: tuple[str, int]) -> None:
        """A token or request of the user expires; its row stays open."""
        self.set_an_end(who, 1)
        self.wait(1)

    @rule(who=people)
    def switch(self, who: tuple[str, int]) -> None:
        """The user becomes inactive, or active again."""
        user = self.users[who]
        user.active = not user.active
        change(
            self.engine,
            "UPDATE member SET status = :status WHERE member_id = :member",
            status="active" if user.active else "inactive",
            member=self.ids[who[0]][who[1]],
        )

    @rule()
    def restart(self) -> None:
        """The process restarts. Everything is in the database."""
        address = self.engine.url.render_as_string(hide_password=False)
        self.teardown()
        self.engine = open_engine(address)

    @invariant()
    def what_is_stored_is_what_the_model_holds(self) -> None:
        """Each user has exactly the live rows of the model, at most one of each state."""
        live = select(
            self.engine,
            "SELECT member_id, state FROM token WHERE ended_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > :now) ORDER BY 1, 2",
            now=self.now,
        )
        assert live == sorted(
            (self.ids[org][n], state)
            for (org, n), user in self.users.items()
            for state, held in zip(("pending", "accepted"), user.at(self.now).held(), strict=True)
            if held
        )

    @invariant()
    def each_live_token_works_and_no_other(self) -> None:
        """Each live token of the model has one live digest of its user. No other has one."""
        working = {
            held.token: self.ids[org][n]
            for (org, n), user in self.users.items()
            for held in user.at(self.now).held()
            if held and held.token
        }
        self.tokens |= set(working)
        stored = select(
            self.engine,
            "SELECT digest, member_id FROM token WHERE digest IS NOT NULL AND ended_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > :now)",
            now=self.now,
        )
        owners = {bytes(digest): member_id for digest, member_id in stored}
        matching = {
            token: owners.get(digest)
            for token, digest in zip(self.tokens, MINTING.digests(self.tokens), strict=True)
        }
        assert matching == {token: working.get(token) for token in self.tokens}
        assert len(stored) == len(working)

    @invariant()
    def rows_never_go_or_reopen(self) -> None:
        """No row disappears, and a closed row does not change."""
        rows = {row[1]: row for row in select(self.engine, "SELECT * FROM token")}
        assert self.seen_ids <= set(rows)
        assert {token_id: rows[token_id] for token_id in self.closed} == self.closed
        self.seen_ids = set(rows)
        ended = select(self.engine, "SELECT token_id FROM token WHERE ended_at IS NOT NULL")
        self.closed = {token_id: rows[token_id] for (token_id,) in ended}

    def who(self, planned: Plan) -> list[tuple[str, int]]:
        """Return the users of a plan, in its order."""
        org = planned.scope.organization_id
        return [(org, self.ids[org].index(member_id)) for member_id in planned.seen]

    def view(self, planned: Plan) -> list[tuple[object, ...]]:
        """Return the state of the model for the users of a plan."""
        users = [self.users[who].at(self.now) for who in self.who(planned)]
        return [(*user.held(), user.refusal(planned.action)) for user in users]

    def pending_of(self, who: tuple[str, int]) -> OwnToken | None:
        """Return the pending one of a user, as their page shows it."""
        own = list_own(self.engine, self.clock, actor(who))
        return next((row for row in own if row.state is TokenState.PENDING), None)


def actor(who: tuple[str, int]) -> Actor:
    """Return the user as a signed-in actor."""
    return Actor(f"{who[0].lower()}-u{who[1]}", "User")


def empty(engine: Engine) -> None:
    """Delete every row."""
    with writing(engine) as connection:
        for table in reversed(TABLES):
            connection.execute(text(f"DELETE FROM {table}"))


@pytest.mark.parametrize("times", [1, pytest.param(100, marks=pytest.mark.soak)])
def test_stored_rows_match_the_model_after_any_order_of_steps(engine, times):
    """Hypothesis chooses the steps."""
    run_state_machine_as_test(
        lambda: Lifecycle(engine),
        settings=settings(
            max_examples=EXAMPLES[engine.dialect.name] * times,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            # Shrinking takes minutes where each step is a transaction; add Phase.shrink by hand.
            phases=[Phase.generate],
        ),
    )
