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
from lib.domain.clock import DAY, MINUTE
from lib.domain.errors import (
    NothingToDoError,
    NotUndoableError,
    PlanOutdatedError,
    StepRefusedError,
    TokenNotPendingError,
)
from lib.domain.plan import Plan
from lib.domain.states import Action, ExistingTokens, TokenState
from lib.domain.tokens import OwnToken
from lib.domain.undo_plan import UndoPlan
from lib.operations.actions import execute, plan_action
from lib.operations.own_tokens import accept, decline, list_own
from lib.operations.undo import plan_undo, undo
from lib.store.engine import open_engine, writing
from lib.store.tables import token
from tests.support.actions import OTHER_ADMIN, TABLES, add_administrator, change, csv_rows, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, SERVICE, build, by, unit_of_work

USERS = {"UTCJF1": 2, "NVTBL2": 1}
STOP, KEEP = ExistingTokens
ACTS = st.sampled_from([*((action, STOP) for action in Action), (Action.GENERATE, KEEP)])
#: Runs of forty steps in each run of the suite; the soak does a hundred times as many.
EXAMPLES = {"sqlite": 40, "postgresql": 10}


@dataclass(eq=False)
class Held:
    """A token or request: in clear if anybody has it, its expiry, how often it was revived."""

    token: str | None = None
    until: int | None = None
    revived: int = 0

    def expired(self, now: int) -> bool:
        """Tell whether it is past its expiry."""
        return self.until is not None and self.until <= now


@dataclass
class User:
    """The model: what one user has, and how each step changes it."""

    active: bool = True
    pending: Held | None = None
    accepted: Held | None = None

    def at(self, now: int) -> "User":
        """Remove what has expired at `now`."""
        lapsed = [held and held.expired(now) for held in self.held()]
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

    def act(self, action: Action, keeps: bool, token: str | None, now: int) -> None:  # noqa: FBT001 - the administrator's choice
        """Apply an action to a user whom it does not skip."""
        if action is Action.REMOVE:
            self.accepted = None
        elif action is Action.CANCEL:
            self.pending = None
        else:
            self.pending = Held(token, None if token else now + 30 * DAY)
            ends = action is Action.GENERATE and not keeps
            self.accepted = None if ends else self.accepted


Holds = tuple[Held | None, Held | None]
Who = tuple[str, int]


@dataclass(eq=False)
class Done:
    """An executed operation: what each user whom it changed had before it and after it."""

    organization_id: str
    operation_id: str
    at: int
    users: dict[Who, tuple[Holds, Holds]]
    undone: bool = False


class PlannedUndo(NamedTuple):
    """An open confirmation of an undo, with what the model expects of it."""

    plan: UndoPlan
    undoes: Done
    expected: dict[Who, tuple[object, ...]]


class Planned(NamedTuple):
    """An open confirmation, with the state of the model at its plan."""

    plan: Plan
    saw: list[tuple[object, ...]]


KEPT = ", ".join(
    ["token_id", *(c.name for c in token.c if c.name not in {"token_id", "digest", "pepper"})]
)


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
        self.operations: list[Done] = []
        self.open_undo: PlannedUndo | None = None

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
        self.act((Action.GENERATE, STOP), ("UTCJF1", [0, 1]))
        self.accept(("UTCJF1", 0))
        self.act((Action.REQUEST, STOP), ("UTCJF1", [0]))

    @rule(admin=st.sampled_from([ADMIN, OTHER_ADMIN]), act=ACTS, selected=groups)
    def plan(
        self, admin: Actor, act: tuple[Action, ExistingTokens], selected: tuple[str, list[int]]
    ) -> None:
        """Plan an action: nothing changes."""
        (action, existing_tokens), (org, chosen) = act, selected
        ids = [self.ids[org][n] for n in chosen]
        planned = plan_action(
            unit_of_work(self.engine, self.clock),
            admin,
            action,
            org,
            SERVICE,
            ids,
            existing_tokens,
        )
        self.open = Planned(planned, self.view(planned))
        skipped = [row.reason.value for row in planned.preview.skipped]
        assert skipped == [saw[-1] for saw in self.open.saw if saw[-1]]

    @rule(act=ACTS, selected=groups)
    def act(self, act: tuple[Action, ExistingTokens], selected: tuple[str, list[int]]) -> None:
        """Plan and execute an action, while another confirmation may be open."""
        stands = self.open
        self.plan(ADMIN, act, selected)
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
        changed: dict[Who, tuple[Holds, Holds]] = {}
        for who in self.who(planned):
            user = self.users[who].at(self.now)
            if not user.refusal(planned.action):
                before, keeps = user.held(), planned.existing_tokens is KEEP
                token = made.pop(f"{who[0].lower()}-u{who[1]}", None)
                user.act(planned.action, keeps, token, self.now)
                changed[who] = (before, user.held())
        assert made == {}
        org = planned.scope.organization_id
        self.operations.append(Done(org, planned.operation_id, self.now, changed))
        self.done = (planned, outcome.receipt)

    @precondition(lambda self: self.done)
    @rule()
    def confirm_again(self) -> None:
        """Execute a plan again: it returns the receipt."""
        outcome = execute(
            unit_of_work(self.engine, self.clock), by(self.done[0]), self.done[0], MINTING
        )
        assert (outcome.receipt, outcome.csv) == (self.done[1], None)

    @precondition(lambda self: self.operations)
    @rule(admin=st.sampled_from([ADMIN, OTHER_ADMIN]), back=st.integers(0, 5))
    def plan_undo(self, admin: Actor, back: int) -> None:
        """Plan the undo of one of the last operations: nothing changes."""
        done = self.operations[-1 - back % len(self.operations)]
        books = unit_of_work(self.engine, self.clock)
        if self.cannot_be_undone(done):
            with pytest.raises(NotUndoableError):
                plan_undo(books, admin, done.organization_id, done.operation_id)
            return
        planned = plan_undo(books, admin, done.organization_id, done.operation_id)
        self.open_undo = PlannedUndo(planned, done, self.expect(done))
        restored = sum(expected[-1] is not None for expected in self.open_undo.expected.values())
        assert planned.preview.restored == restored

    @precondition(lambda self: self.operations)
    @rule(back=st.integers(0, 5))
    def undo(self, back: int) -> None:
        """Plan and execute an undo, while another confirmation may be open."""
        stands, self.open_undo = self.open_undo, None
        self.plan_undo(ADMIN, back)
        if self.open_undo:
            self.confirm_undo()
        self.open_undo = stands

    @precondition(lambda self: self.open_undo)
    @rule()
    def confirm_undo(self) -> None:
        """Execute the open undo, or expect a refusal."""
        planned, done, expected = self.open_undo
        self.open_undo = None
        actor, books = Actor(planned.actor, ""), unit_of_work(self.engine, self.clock)
        restored = any(snapshot[-1] is not None for snapshot in expected.values())
        refusal = (
            NotUndoableError
            if self.cannot_be_undone(done)
            else PlanOutdatedError
            if self.expect(done) != expected
            else None
            if restored
            else NothingToDoError
        )
        if refusal:
            with pytest.raises(refusal):
                undo(books, actor, planned)
            return
        (receipt,) = undo(books, actor, planned)
        assert undo(books, actor, planned) == (receipt,)
        done.undone = True
        for who, (*_, back) in expected.items():
            if back is not None:
                self.restore(who, done, back)

    def restore(self, who: Who, done: Done, back: tuple[Held, ...]) -> None:
        """Give a user of the model what an undo gives back."""
        user, (before, after) = self.users[who].at(self.now), done.users[who]
        for held in back:
            held.revived += 1
        user.pending, user.accepted = (
            was if was in back or was is left else None
            for was, left in zip(before, after, strict=True)
        )

    def cannot_be_undone(self, done: Done) -> bool:
        """Tell whether an operation was undone, or is too old."""
        return done.undone or self.now > done.at + 7 * DAY

    def expect(self, done: Done) -> dict[Who, tuple[object, ...]]:
        """Return of each user their rows, and what an undo gives back; None for a skip."""
        expected: dict[Who, tuple[object, ...]] = {}
        for who, (before, after) in done.users.items():
            user = self.users[who].at(self.now)
            ended = [held for held in before if held and held not in after]
            back = tuple(held for held in ended if not held.expired(self.now))
            skips = user.held() != after or (ended and not back)
            expected[who] = (*map(row, user.held()), None if skips else back)
        return expected

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
        # What changes tokens raises the revision.
        change(self.engine, "UPDATE subscription SET revision = revision + 1")
        for held in self.users[who].at(self.now).held():
            if held:
                held.until = until

    @rule(minutes=st.integers(1, 5))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.now += minutes * MINUTE

    @rule(days=st.integers(1, 4))
    def wait_days(self, days: int) -> None:
        """Much time passes: requests lapse, and operations get too old to be undone."""
        self.now += days * DAY

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
        """No row disappears, and a closed row does not change. Only an undo takes its digest."""
        rows = {row[0]: row for row in select(self.engine, f"SELECT {KEPT} FROM token")}
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
        return [(*map(row, user.held()), user.refusal(planned.action)) for user in users]

    def pending_of(self, who: tuple[str, int]) -> OwnToken | None:
        """Return the pending one of a user, as their page shows it."""
        own = list_own(self.engine, self.clock, actor(who))
        return next((row for row in own if row.state is TokenState.PENDING), None)


def row(held: Held | None) -> tuple[Held, int] | None:
    """Return what tells a stored row from others: each undo makes a new one."""
    return (held, held.revived) if held else None


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
