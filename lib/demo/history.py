"""The demo's history: 180 days of operations, acceptances, uses and expiries.

The use cases themselves make it, with a moved clock, in the transaction that fills the database.
Its people have no other tokens, and it leaves them nothing live, so that the present state stays as
lib.demo.demo_data describes it. Only the requests that are pending now are its work.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import cycle
from typing import TypeAlias

from sqlalchemy import Connection

from lib.domain.access import Actor
from lib.domain.clock import DAY, HOUR, MINUTE, Moment
from lib.domain.states import Action, OwnStep, TokenState
from lib.domain.token_format import Minting
from lib.operations.actions import event_of, execute_within, make_plan
from lib.operations.own_tokens import step_within
from lib.operations.unit_of_work import UnitOfWork
from lib.operations.verification.usage_recorder import accept_within
from lib.store import token_queries
from lib.store.import_queries import MemberWithService

Place: TypeAlias = tuple[str, str]
Member: TypeAlias = tuple[str, str, str]

DAYS = 180
_PLACES = 8  # organizations and services with the most people have a history
_ROUND = 42  # days of a round, from its requests to its removals
_APART = 17 * MINUTE  # between two of the operations that requested what is pending now
#: Days ago, when what is pending now was requested: some places wait for more than a week.
_REQUESTED_DAYS = (12, 5, 9, 2, 11, 1)
_ADMINISTRATOR = Actor("mhale", "Morgan Hale", address="192.0.2.7")
_STAFF = (
    _ADMINISTRATOR,
    Actor("dnakano", "Dana Nakano", address="192.0.2.21"),
    Actor("rfenwick", "Rosalind Fenwick", address="192.0.2.8"),
)
_REASONS = {
    Action.REQUEST: ("Onboarding", "New county contract", ""),
    Action.CANCEL: ("Nobody answered", "Asked the wrong people", ""),
    Action.GENERATE: ("Moved to the new gateway", "Yearly rotation"),
    Action.REMOVE: ("Left the company", "Contract ended", "Moved to the new gateway"),
}


def _by_place(members: Iterable[Member]) -> dict[Place, list[str]]:
    people: dict[Place, list[str]] = {}
    for organization_id, service_id, member_id in members:
        people.setdefault((organization_id, service_id), []).append(member_id)
    return people


@dataclass
class MovableClock:
    """A clock that stands where the history has put it."""

    at: Moment

    def __call__(self) -> Moment:
        """Return the moment at which it stands."""
        return self.at


def first_moment(unit_of_work: UnitOfWork) -> Moment:
    """Return when the history begins: the directory is imported, and roles are granted."""
    return unit_of_work.clock() - (DAYS + 1) * DAY


class History:
    """Acts as the people of the demo did, at moments in the past, in the caller's transaction."""

    def __init__(self, connection: Connection, unit_of_work: UnitOfWork, minting: Minting) -> None:
        """Begin 180 days before the clock of `unit_of_work`."""
        self._connection = connection
        self._now = unit_of_work.clock()
        self._clock = MovableClock(self._now - DAYS * DAY)
        # The demo's administrators act alone: nobody would be there to approve.
        self._unit_of_work = replace(unit_of_work, clock=self._clock, four_eyes=0)
        self._minting = minting
        self._chance = random.Random("history")  # noqa: S311 - demo data, not a secret
        self._staff = cycle(_STAFF)

    def of(self, members: Iterable[MemberWithService]) -> None:
        """Write the history of the places with the most of these people, who have no tokens."""
        people = _by_place((m.organization_id, m.service_id, m.member_id) for m in members)
        largest = sorted(people, key=lambda place: (-len(people[place]), place))[:_PLACES]
        rounds = []
        for number, days in enumerate(range(DAYS, _ROUND, -_ROUND)):
            for at, place in enumerate(largest):
                chosen = self._chance.sample(people[place], min(len(people[place]), 8 + 4 * number))
                rounds.append(self._round(place, chosen, self._now - days * DAY + at * DAY // 2))
        self._run(rounds)

    def request(self, wanted: Iterable[Member]) -> set[Member]:
        """Request the tokens that are pending now; return those who were not skipped."""
        people = _by_place(wanted)
        moments = [
            (self._now - days * DAY + number * _APART, place)
            for number, (place, days) in enumerate(zip(sorted(people), cycle(_REQUESTED_DAYS)))
        ]
        requested: set[Member] = set()
        for moment, place in sorted(moments):
            self._clock.at = max(self._clock.at, moment)
            done = self._act(Action.REQUEST, place, people[place])
            requested |= {(*place, member_id) for member_id in done}
        return requested

    def _run(self, rounds: Iterable[Iterator[Moment]]) -> None:
        """Do the steps of all rounds in the order of time; a round yields when its next step is."""
        due = [(next(steps), number, steps) for number, steps in enumerate(rounds)]
        heapify(due)
        while due:
            moment, number, steps = heappop(due)
            self._clock.at = max(self._clock.at, moment)
            following = next(steps, None)
            if following is not None:
                heappush(due, (following, number, steps))

    def _round(self, place: Place, member_ids: list[str], begins: Moment) -> Iterator[Moment]:
        """Request, export, use, decline, cancel and remove; in the end nothing is live."""
        half = len(member_ids) // 2
        begins += self._chance.randint(0, 8 * 60) * MINUTE
        yield begins
        self._act(Action.REQUEST, place, member_ids[: half + 1])
        yield begins + 2 * HOUR
        self._answer(place, member_ids[:3])
        yield begins + DAY
        self._act(Action.GENERATE, place, member_ids[half:])
        yield begins + 2 * DAY
        self._use(place, member_ids[half + 1 :])
        yield begins + 8 * DAY
        if self._chance.random() < 2 / 3:  # else the requests expire
            self._act(Action.CANCEL, place, member_ids[:half])
        yield begins + 35 * DAY
        self._act(Action.REMOVE, place, member_ids)
        self._act(Action.CANCEL, place, member_ids)

    def _act(self, action: Action, place: Place, member_ids: Sequence[str]) -> list[str]:
        """Plan and execute an action; return whom it changed. Nothing happens if that is nobody."""
        actor = _ADMINISTRATOR if action is Action.GENERATE else next(self._staff)
        now = self._clock()
        plan = make_plan(self._connection, now, actor, action, *place, member_ids)
        if plan.preview.changed:
            self._clock.at += MINUTE  # between the first confirmation and the last
            event = event_of(plan, actor, self._chance.choice(_REASONS[action]))
            execute_within(self._connection, self._unit_of_work, plan, self._minting, event)
        return [member_id for member_id, seen in plan.seen.items() if not seen.skip]

    def _answer(self, place: Place, member_ids: Iterable[str]) -> None:
        """Let some people accept or decline what they were asked for."""
        now = self._clock()
        found = token_queries.users_in_scope(self._connection, *place, now, member_ids)
        for number, user in enumerate(found):
            step = OwnStep.DECLINE if number == 1 else OwnStep.ACCEPT
            for token in token_queries.own_tokens(self._connection, user.username, now):
                if token.token_id == user.pending_token and token.state is TokenState.PENDING:
                    self._clock.at += MINUTE
                    actor = Actor(user.username, user.name, address="192.0.2.99")
                    step_within(
                        self._connection, self._unit_of_work, actor, token, step, self._minting
                    )

    def _use(self, place: Place, member_ids: Iterable[str]) -> None:
        """Let people use their exported tokens for the first time."""
        found = token_queries.users_in_scope(self._connection, *place, self._clock(), member_ids)
        used = [user.pending_token for user in found if user.pending_token]
        accept_within(self._connection, self._unit_of_work, place, used)
