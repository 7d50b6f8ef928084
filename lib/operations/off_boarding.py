"""Off-boarding: all tokens and requests of one person end together.

It is one batch in one transaction: all of it happens, or nothing. The batch has one operation for
each organization, service and action (Remove or Cancel).
"""

import logging
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection

from lib.domain import roles
from lib.domain.access import Actor
from lib.domain.activity import Membership, Person
from lib.domain.audit import Event
from lib.domain.clock import Moment
from lib.domain.errors import (
    NotAllowedError,
    NothingToDoError,
    PlanOutdatedError,
    UnknownPersonError,
)
from lib.domain.ids import new_id
from lib.domain.lifecycle import ENDS
from lib.domain.operations import Batch, ChangedUser, Receipt
from lib.domain.plan import Plan
from lib.domain.roles import Permission, Reach
from lib.domain.states import Action, Cause, Holding
from lib.domain.tokens import OwnToken
from lib.operations.access import reach, require
from lib.operations.actions import event_of, make_plan
from lib.operations.batches import after_removals, execute_all
from lib.operations.unit_of_work import UnitOfWork
from lib.store import activity_queries, operation_queries, token_queries
from lib.store.engine import reading

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OffBoarding:
    """What would end, frozen at the confirmation: a plan for each organization, service and action.

    `everywhere` tells whether it covers all organizations, or only those of the actor.
    """

    batch_id: str
    actor: str
    person: Person
    plans: tuple[Plan, ...]
    everywhere: bool

    @property
    def tokens(self) -> int:
        """Return how many working tokens end."""
        return sum(plan.action is Action.REMOVE for plan in self.plans)

    @property
    def requests(self) -> int:
        """Return how many pending tokens and requests end."""
        return sum(plan.action is Action.CANCEL for plan in self.plans)

    @property
    def organizations(self) -> int:
        """Return in how many organizations something ends."""
        return len({plan.scope.organization_id for plan in self.plans})


def plan_off_boarding(unit_of_work: UnitOfWork, actor: Actor, username: str) -> OffBoarding:
    """Return what off-boarding `username` would end. Nothing is written.

    It covers the organizations in which the actor has the permission. Raises NotAllowedError, and
    UnknownPersonError when the person is in none of these organizations.
    """
    attempt = _attempt(actor, username)
    with unit_of_work.refusals_recorded(attempt), reading(unit_of_work.engine) as connection:
        within = reach(connection, actor.username, Permission.OFF_BOARD)
        person = activity_queries.find_person(connection, username)
        member_of = activity_queries.memberships(connection, username, within)
        if person is None or (not member_of and within is not None):
            raise UnknownPersonError(username)
        now = unit_of_work.clock()
        live = _live(connection, username, within, now)
        plans = _plans(connection, now, actor, member_of, live)
    return OffBoarding(new_id(now), actor.username, person, plans, within is None)


def off_board(
    unit_of_work: UnitOfWork, actor: Actor, off_boarding: OffBoarding, *, reason: str = ""
) -> tuple[Receipt, ...]:
    """End what was planned, all of it or nothing. A second call returns the same receipts.

    Raises NotAllowedError, NothingToDoError, and PlanOutdatedError when the person's tokens
    changed since the plan, or when a token or request would remain.
    """
    username, plans = off_boarding.person.username, off_boarding.plans
    if not plans:
        raise NothingToDoError
    with unit_of_work.transaction(_attempt(actor, username, plans[0])) as connection:
        if actor.username != off_boarding.actor:
            raise NotAllowedError(actor.username, Permission.OFF_BOARD)
        for organization_id in sorted({plan.scope.organization_id for plan in plans}):
            require(connection, actor.username, Permission.OFF_BOARD, organization_id)
        is_first = not any(_receipt(connection, plan) for plan in plans)
        receipts = execute_all(
            connection,
            unit_of_work,
            plans,
            Batch(Cause.OFF_BOARDING, off_boarding.batch_id),
            lambda plan: event_of(plan, actor, reason)._replace(subject=username),
        )
        if is_first:
            _require_nothing_remains(connection, unit_of_work, actor, off_boarding.person)
    _log.info("off-boarding: %d operations", len(receipts))
    return receipts


def _plans(
    connection: Connection,
    now: Moment,
    actor: Actor,
    member_of: list[Membership],
    live: list[OwnToken],
) -> tuple[Plan, ...]:
    """Return the plans in the order of the locks.

    Where a service has two plans, the second one is adapted to the first (lib.operations.batches).
    """
    members = {member.organization_id: member.member_id for member in member_of}
    plans: list[Plan] = []
    ordered = sorted(live, key=lambda t: (t.organization_id, t.service_id))
    for place, tokens in groupby(ordered, key=lambda t: (t.organization_id, t.service_id)):
        states = {token.state for token in tokens}
        member_id = members[place[0]]
        plans += [
            make_plan(connection, now, actor, action, *place, [member_id])
            for state, action in ENDS.items()
            if state in states
        ]
    return after_removals(plans)


def _live(connection: Connection, username: str, within: Reach, now: Moment) -> list[OwnToken]:
    found = token_queries.own_tokens(connection, username, now)
    return [token for token in found if roles.covers(within, token.organization_id)]


def _require_nothing_remains(
    connection: Connection, unit_of_work: UnitOfWork, actor: Actor, person: Person
) -> None:
    """Raise PlanOutdatedError when the person has a token or request that the plan did not see."""
    within = reach(connection, actor.username, Permission.OFF_BOARD)
    remaining = _live(connection, person.username, within, unit_of_work.clock())
    if remaining:
        raise PlanOutdatedError(
            tuple(
                ChangedUser(
                    f"{person.name} · {token.organization_name} · {token.service_name}",
                    person.username,
                    Holding.NOTHING,
                    Holding(token.state.value),
                )
                for token in remaining
            )
        )


def _receipt(connection: Connection, plan: Plan) -> Receipt | None:
    return operation_queries.find_receipt(connection, plan.scope.organization_id, plan.operation_id)


def _attempt(actor: Actor, username: str, plan: Plan | None = None) -> Event:
    if plan is not None:
        return event_of(plan, actor)._replace(subject=username)
    return Event(Action.REMOVE, actor.username, actor.address, subject=username)
