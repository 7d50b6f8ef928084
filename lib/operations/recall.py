"""Leak recall: find the tokens in a leak, and end them, or all tokens of the same operations.

Every token that it names is barred, also one that had ended before: no undo revives it. The leak is
searched and not kept. A recall holds ids of tokens, never a token.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection

from lib.domain import roles, token_format
from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction, clean_reason
from lib.domain.clock import Moment
from lib.domain.errors import NotAllowedError, NothingToDoError, PlanOutdatedError
from lib.domain.ids import new_id
from lib.domain.leaks.containers import NotLookedInto
from lib.domain.lifecycle import ENDS
from lib.domain.operations import Batch, Receipt
from lib.domain.plan import Plan
from lib.domain.roles import Permission, Reach
from lib.domain.states import Action, Cause, TokenState
from lib.domain.token_format import Minting
from lib.domain.tokens import LeakedToken
from lib.operations.access import reach, require
from lib.operations.actions import event_of, make_plan
from lib.operations.batches import after_removals, execute_all, lock_all
from lib.operations.command_line import SYSTEM, add_system_account
from lib.operations.grants import COMMAND_LINE
from lib.operations.leak_reader.reader import Leak, LeakSource, read_leak
from lib.operations.unit_of_work import UnitOfWork
from lib.store import barring_queries, recall_queries, token_queries
from lib.store.engine import reading

#: Organization id, service id, and the state of the tokens.
_Group: TypeAlias = tuple[str, str, TokenState]


@dataclass(frozen=True, slots=True)
class Recall:
    """The tokens found, and the plans that would end them, frozen at the confirmation.

    `unknown` counts strings that have the form of a token, but are none that the actor may see.
    `not_looked_into` names files that may hold more tokens.
    """

    batch_id: str
    actor: str
    leaked: tuple[LeakedToken, ...]
    unknown: int
    plans: tuple[Plan, ...]
    not_looked_into: tuple[NotLookedInto, ...]

    @property
    def ending(self) -> int:
        """Return how many tokens end."""
        return sum(plan.preview.changed for plan in self.plans)

    @property
    def barring(self) -> int:
        """Return how many tokens had ended before, and are not barred yet."""
        return sum(found.state not in ENDS and not found.barred for found in self.leaked)

    @property
    def operations(self) -> frozenset[tuple[str, str]]:
        """Return the operations that made the found tokens, as (organization id, operation id)."""
        return frozenset(
            (found.organization_id, found.operation_id)
            for found in self.leaked
            if found.operation_id
        )


def look_up(
    unit_of_work: UnitOfWork, actor: Actor, sources: Iterable[LeakSource], minting: Minting
) -> Recall:
    """Return the tokens in `sources` with their holders, and plans that end the live ones.

    Nothing is written. Raises NotAllowedError, before anything is searched.
    """
    attempt = Event(Action.REMOVE, actor.username, actor.address)
    with unit_of_work.refusals_recorded(attempt):
        with reading(unit_of_work.engine) as connection:
            reach(connection, actor.username, Permission.RECALL)
        leak = read_leak(sources, minting.prefix)
        with reading(unit_of_work.engine) as connection:
            within = reach(connection, actor.username, Permission.RECALL)
            return _look_up(connection, unit_of_work.clock(), actor, leak, minting, within)


def widen(unit_of_work: UnitOfWork, actor: Actor, recall: Recall) -> Recall:
    """Return `recall` extended by all live tokens that the same operations made.

    Raises NotAllowedError.
    """
    attempt = Event(Action.REMOVE, actor.username, actor.address)
    with unit_of_work.refusals_recorded(attempt), reading(unit_of_work.engine) as connection:
        reach(connection, actor.username, Permission.RECALL)
        for organization_id, _ in recall.operations:
            require(connection, actor.username, Permission.RECALL, organization_id)
        return _widen(connection, unit_of_work.clock(), actor, recall)


def end(
    unit_of_work: UnitOfWork, actor: Actor, recall: Recall, *, reason: str = ""
) -> tuple[Receipt, ...]:
    """End what was planned and bar every token found, all of it or nothing.

    A second call returns the same receipts; there are none where all tokens had ended before.
    Raises NotAllowedError, also when `actor` is not the person who looked the tokens up;
    NothingToDoError; PlanOutdatedError when the users' tokens changed since the plan.
    """
    if not recall.plans and not recall.barring:
        raise NothingToDoError
    with unit_of_work.transaction(_barring(recall.leaked[0], actor, reason)) as connection:
        if actor.username != recall.actor:
            raise NotAllowedError(actor.username, Permission.RECALL)
        for organization_id in sorted({found.organization_id for found in recall.leaked}):
            require(connection, actor.username, Permission.RECALL, organization_id)
        return _end(connection, unit_of_work, recall, actor, reason)


def look_up_by_command(
    unit_of_work: UnitOfWork, source: LeakSource, minting: Minting, *, whole: bool
) -> Recall:
    """As `look_up`, for the command line: no permission is checked. `whole` widens the result.

    Raises OSError when the source cannot be read.
    """
    leak = read_leak([source], minting.prefix)
    with reading(unit_of_work.engine) as connection:
        now = unit_of_work.clock()
        found = _look_up(connection, now, SYSTEM, leak, minting, None)
        return _widen(connection, now, SYSTEM, found) if whole else found


def end_by_command(
    unit_of_work: UnitOfWork, recall: Recall, *, reason: str = ""
) -> tuple[Receipt, ...]:
    """As `end`, for the command line: no permission is checked."""
    if not recall.plans and not recall.barring:
        raise NothingToDoError
    attempt = _barring(recall.leaked[0], COMMAND_LINE, reason)
    with unit_of_work.transaction(attempt) as connection:
        add_system_account(connection)
        return _end(connection, unit_of_work, recall, COMMAND_LINE, reason)


def _end(
    connection: Connection, unit_of_work: UnitOfWork, recall: Recall, actor: Actor, reason: str
) -> tuple[Receipt, ...]:
    """As `end`, in the caller's transaction. `actor` is the one of the events."""
    places: dict[tuple[str, str], list[LeakedToken]] = defaultdict(list)
    for found in recall.leaked:
        places[found.organization_id, found.service_id].append(found)
    lock_all(connection, places)
    now = unit_of_work.clock()  # after the wait for the locks
    revived = [
        user
        for (organization_id, _), leaked in places.items()
        for user in barring_queries.revived_since(connection, organization_id, _ids(leaked))
    ]
    if revived:
        raise PlanOutdatedError(tuple(revived))
    events = []
    for place, leaked in sorted(places.items()):
        token_queries.close_lapsed(connection, *place, now, (found.member_id for found in leaked))
        barred = barring_queries.bar(connection, place[0], _ids(leaked), now)
        if barred:
            events.append(_barring(leaked[0], actor, reason)._replace(users=barred))
    receipts = execute_all(
        connection,
        unit_of_work,
        recall.plans,
        Batch(Cause.RECALL, recall.batch_id),
        lambda plan: event_of(plan, actor, reason),
    )
    for (organization_id, _), leaked in places.items():
        barring_queries.bar(connection, organization_id, _ids(leaked), now)
    unit_of_work.record(connection, *events)
    return receipts


def _ids(leaked: Iterable[LeakedToken]) -> list[str]:
    return [found.token_id for found in leaked]


def _barring(found: LeakedToken, actor: Actor, reason: str) -> Event:
    """Return the event of marking tokens that had ended before, in the place of `found`."""
    place = (found.organization_id, found.service_id)
    return Event(
        EventAction.BAR,
        actor.username,
        actor.address,
        *place,
        reason=clean_reason(reason),
        detail="recall",
    )


def _look_up(
    connection: Connection,
    now: Moment,
    actor: Actor,
    leak: Leak,
    minting: Minting,
    within: Reach,
) -> Recall:
    tokens = list(leak.tokens)
    digests = [
        d for pepper in minting.peppers.values() for d in token_format.digests(tokens, pepper)
    ]
    found = recall_queries.find(connection, digests, now)
    visible = tuple(leaked for leaked in found if roles.covers(within, leaked.organization_id))
    plans = _plans(connection, now, actor, visible)
    unknown = len(tokens) - len(visible)
    return Recall(new_id(now), actor.username, visible, unknown, plans, tuple(leak.not_looked_into))


def _widen(connection: Connection, now: Moment, actor: Actor, recall: Recall) -> Recall:
    found: dict[str, list[str]] = defaultdict(list)
    for leaked in recall.leaked:
        found[leaked.organization_id].append(leaked.token_id)
    made_by: dict[str, set[str]] = defaultdict(set)
    for organization_id, operation_id in recall.operations:
        made_by[organization_id].add(operation_id)
    widened: dict[str, LeakedToken] = {}
    for organization_id, token_ids in found.items():
        # Read again: some may have been replaced since the look-up.
        for leaked in (
            *recall_queries.find_again(connection, organization_id, token_ids, now),
            *recall_queries.live_of_operations(
                connection, organization_id, made_by[organization_id], now
            ),
        ):
            widened.setdefault(leaked.token_id, leaked)
    plans = _plans(connection, now, actor, widened.values())
    return replace(recall, batch_id=new_id(now), leaked=tuple(widened.values()), plans=plans)


def _plans(
    connection: Connection, now: Moment, actor: Actor, leaked: Iterable[LeakedToken]
) -> tuple[Plan, ...]:
    """Return the plans that end the live ones of `leaked`, in the order of the locks.

    A plan names users and ends what they have now, so `leaked` must be read in the same
    transaction.
    """
    members: dict[_Group, list[str]] = defaultdict(list)
    for token in leaked:
        if token.state in ENDS:
            members[token.organization_id, token.service_id, token.state].append(token.member_id)
    plans = [
        make_plan(connection, now, actor, ENDS[state], organization_id, service_id, ids)
        for (organization_id, service_id, state), ids in sorted(members.items(), key=_lock_order)
    ]
    return after_removals(plans)


def _lock_order(item: tuple[_Group, object]) -> tuple[str, str, int]:
    organization_id, service_id, state = item[0]
    return organization_id, service_id, list(ENDS).index(state)
