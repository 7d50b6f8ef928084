"""Reads for the Activity pages: the event list, and one operation.

Every read is limited to the organizations in which the actor has the permission. Events that
belong to no organization (sign-ins, imports, grants for all) need the permission for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from lib.domain import roles
from lib.domain.access import Actor
from lib.domain.activity import (
    ActivityFilter,
    ActivityRow,
    OperationFacts,
    Progress,
    ResultLine,
)
from lib.domain.approvals import Approval
from lib.domain.approver import ApproverRole
from lib.domain.audit import EventAction
from lib.domain.clock import Clock, Moment
from lib.domain.plan import Plan
from lib.domain.roles import Permission
from lib.domain.states import Action, ApprovalState
from lib.operations.access import reach, reach_if_any, require
from lib.operations.actions import APPROVAL_LASTS
from lib.operations.approvals import role_for
from lib.store import activity_queries, approval_queries
from lib.store.engine import reading

LONGEST_EXPORT = 100_000  # events in one file
_CHUNK = 5_000
_EVENTS_OF_ONE = 200  # events of one operation: it may have been downloaded many times
_OPEN_APPROVALS = 200


class Page(NamedTuple):
    """One page of events, newest first. `older` tells whether there are more."""

    rows: list[ActivityRow]
    older: bool


@dataclass(frozen=True, slots=True)
class OperationView:
    """One operation as its page shows it.

    `done` is set once it was executed, `asked` if it needed an approval. `approver` is the role of
    the person who answered; before an answer it is the viewer's role, if the viewer may answer.
    """

    organization_id: str
    operation_id: str
    progress: Progress
    done: OperationFacts | None
    asked: Approval | None
    plan: Plan | None
    approver: ApproverRole | None
    events: list[ActivityRow]
    batch: list[OperationFacts]


def list_events(
    engine: Engine, actor: Actor, wanted: ActivityFilter, *, before: str = "", limit: int
) -> Page:
    """Return the newest `limit` events that match `wanted` and are older than event `before`.

    `before` is an event id; empty for the newest page. Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACTIVITY)
        rows = activity_queries.newest_events(connection, wanted, within, before, limit + 1)
    return Page(rows[:limit], len(rows) > limit)


def export_events(engine: Engine, actor: Actor, wanted: ActivityFilter) -> Iterator[ActivityRow]:
    """Yield the newest events that match `wanted`, LONGEST_EXPORT at most.

    They are from the organizations in which the actor may export. Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.EXPORT)
        before, left = "", LONGEST_EXPORT
        while left:
            rows = activity_queries.newest_events(
                connection, wanted, within, before, min(_CHUNK, left)
            )
            yield from rows
            left -= len(rows)
            if len(rows) < _CHUNK:
                return
            before = rows[-1].event_id


def open_approvals(
    engine: Engine, clock: Clock, actor: Actor
) -> tuple[list[Approval], list[Approval]]:
    """Return two lists, oldest first: requests the actor can answer, and the actor's own requests.

    Requests for which the actor's role is too new are left out. Raises NotAllowedError.
    """
    now = clock()
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACTIVITY)
        approving = reach_if_any(connection, actor.username, Permission.APPROVE)
        asked = approval_queries.still_open(connection, now - 2 * APPROVAL_LASTS, _OPEN_APPROVALS)
        lasting = [a for a in asked if _progress_of(a, now, done=False) is not Progress.LAPSED]
        answerable = [
            a
            for a in lasting
            if a.answered_at is None
            and a.requester != actor.username
            and roles.covers(approving, a.organization_id)
            and _is_old_enough(role_for(connection, actor.username, a))
        ]
    own = [
        a
        for a in lasting
        if a.requester == actor.username and roles.covers(within, a.organization_id)
    ]
    return answerable, own


def open_operation(
    engine: Engine, clock: Clock, actor: Actor, organization_id: str, operation_id: str
) -> OperationView | None:
    """Return one operation, executed or waiting for approval; None when there is none.

    `batch` holds the other operations of its batch that the actor may see. Raises NotAllowedError.
    """
    at = (organization_id, operation_id)
    with reading(engine) as connection:
        require(connection, actor.username, Permission.ACTIVITY, organization_id)
        done = activity_queries.find_operation(connection, *at)
        asked = approval_queries.find(connection, *at)
        if done is None and asked is None:
            return None
        progress = _progress_of(asked, clock(), done=bool(done)) if asked else Progress.DONE
        waits = progress in {Progress.WAITING, Progress.APPROVED}
        return OperationView(
            *at,
            progress,
            done,
            asked,
            approval_queries.plan_of(connection, *at) if waits else None,
            _approver(connection, actor, asked) if asked else None,
            activity_queries.events_of_operation(connection, *at, _EVENTS_OF_ONE),
            _others_of_batch(connection, actor, done) if done and done.batch_id else [],
        )


def _is_old_enough(role: ApproverRole | None) -> bool:
    return role is not None and role.old_enough


def _approver(connection: Connection, actor: Actor, asked: Approval) -> ApproverRole | None:
    if asked.answered_by:
        return approval_queries.role_of_answer(
            connection, asked.organization_id, asked.operation_id
        )
    if asked.requester == actor.username:
        return None
    return role_for(connection, actor.username, asked)


def _others_of_batch(
    connection: Connection, actor: Actor, done: OperationFacts
) -> list[OperationFacts]:
    within = reach(connection, actor.username, Permission.ACTIVITY)
    return [
        other
        for other in activity_queries.operations_of_batch(connection, done.batch_id)
        if other.operation_id != done.operation_id and roles.covers(within, other.organization_id)
    ]


def list_results(
    engine: Engine,
    actor: Actor,
    operation: OperationFacts,
    search: str,
    after: tuple[str, str],
    limit: int,
) -> tuple[list[ResultLine], bool]:
    """Return up to `limit` result rows of an operation, in table order, and whether there are more.

    The rows come after `after` (sort key, member id). Name, username or e-mail contains `search`.
    Raises NotAllowedError.
    """
    with reading(engine) as connection:
        require(connection, actor.username, Permission.ACTIVITY, operation.organization_id)
        rows = activity_queries.results_page(connection, operation, search, after, limit + 1)
    return rows[:limit], len(rows) > limit


def progress(event: ActivityRow, now: Moment) -> Progress | None:
    """Return the progress of the operation that `event` is about, at `now`.

    None when the event neither executes nor requests an operation, nor refuses anything.
    """
    if event.action is EventAction.REFUSAL:
        return Progress.REFUSED
    if event.action in {*Action, EventAction.UNDO}:
        return Progress.DONE
    if event.action is not EventAction.ASK_APPROVAL or event.approval is None:
        return None
    since = event.answered_at or event.asked_at or 0
    return _progress(event.approval, since, now, done=event.skipped is not None)


def _progress_of(asked: Approval, now: Moment, *, done: bool) -> Progress:
    return _progress(asked.state, asked.answered_at or asked.asked_at, now, done=done)


def _progress(state: ApprovalState, since: Moment, now: Moment, *, done: bool) -> Progress:
    """Return the progress of an approval; `since` is when it was requested or answered."""
    if done:
        return Progress.DONE
    if state is ApprovalState.REJECTED:
        return Progress.REJECTED
    if now - since > APPROVAL_LASTS:
        return Progress.LAPSED
    return Progress.APPROVED if state is ApprovalState.APPROVED else Progress.WAITING
