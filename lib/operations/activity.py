"""Reads for the Activity pages: the event list, one operation, one person.

Every read is limited to the organizations in which the actor has the permission. Events that
belong to no organization (sign-ins, imports, grants for all) need the permission for all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from lib.domain import roles
from lib.domain.access import Actor, GrantRow
from lib.domain.activity import (
    ActivityFilter,
    ActivityRow,
    EndedToken,
    Membership,
    OperationFacts,
    Person,
    Progress,
    ResultLine,
)
from lib.domain.approvals import Approval
from lib.domain.approver import ApproverRole
from lib.domain.audit import EventAction
from lib.domain.clock import Clock, Moment
from lib.domain.plan import Plan
from lib.domain.roles import Permission, Reach
from lib.domain.search import fold
from lib.domain.states import Action, ApprovalState
from lib.domain.tokens import OwnToken
from lib.operations.access import reach, reach_if_any, require
from lib.operations.actions import APPROVAL_LASTS
from lib.operations.approvals import role_for
from lib.store import activity_queries, approval_queries, grant_queries, token_queries
from lib.store.engine import reading

LONGEST_EXPORT = 100_000  # events in one file
_CHUNK = 5_000
_EVENTS_OF_ONE = 200  # events of one operation: it may have been downloaded many times
_OPEN_APPROVALS = 200
_LAST: tuple[Moment, str] = (1 << 62, "")  # later than the end of any token


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


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person as User 360 shows them, limited to the viewer's organizations.

    `everywhere` tells that the viewer sees all organizations. `grants` is None when the viewer may
    not see grants.
    """

    person: Person
    memberships: list[Membership]
    live: list[OwnToken]
    grants: list[GrantRow] | None
    everywhere: bool


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


def find_people(engine: Engine, actor: Actor, search: str, limit: int) -> list[Person]:
    """Return the person with the username `search`, else up to `limit` whose name contains it.

    Only members of the actor's organizations, and people with a role there. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACTIVITY)
        exact = activity_queries.find_person(connection, search.strip())
        if exact:
            member_of = activity_queries.memberships(connection, exact.username, within)
            if _is_known(connection, exact.username, within, member_of):
                return [exact._replace(email="")]
        part = fold(search)
        staff = {
            grant.username: Person(grant.username, grant.name)
            for grant in grant_queries.list_grants(connection)
            if part in fold(f"{grant.name} {grant.username}")
            and (grant.organization_id is None or roles.covers(within, grant.organization_id))
        }
        members = activity_queries.people_matching(connection, search, within, limit)
    return [*staff.values(), *(m for m in members if m.username not in staff)][:limit]


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


def open_person(engine: Engine, clock: Clock, actor: Actor, username: str) -> PersonView | None:
    """Return a person as the actor may see them; None when unknown or not visible.

    Visible are members of the actor's organizations, and people named in an event of one. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACTIVITY)
        person = activity_queries.find_person(connection, username)
        member_of = activity_queries.memberships(connection, username, within)
        if person is None or not _is_known(connection, username, within, member_of):
            return None
        if within is not None and not member_of:
            person = person._replace(email="")
        live = token_queries.own_tokens(connection, username, clock())
        grants = _grants_of(connection, actor, username)
    return PersonView(
        person,
        member_of,
        [token for token in live if roles.covers(within, token.organization_id)],
        grants,
        within is None,
    )


def list_ended_tokens(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    username: str,
    *,
    before: tuple[Moment, str] | None = None,
    limit: int,
) -> tuple[list[EndedToken], bool]:
    """Return up to `limit` ended tokens and requests of a person, and whether there are more.

    The last ended comes first. Only organizations that the actor may see. `before` is where the
    page starts: the end in milliseconds and the id of the last token of the page before. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACTIVITY)
        rows = activity_queries.ended_tokens(
            connection, username, within, clock(), before or _LAST, limit + 1
        )
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


def _is_known(
    connection: Connection, username: str, within: Reach, member_of: Sequence[Membership]
) -> bool:
    """Tell whether a person is visible in `within`: a member, or named in an event."""
    return (
        within is None
        or bool(member_of)
        or activity_queries.has_events(connection, username, within)
    )


def _grants_of(connection: Connection, actor: Actor, username: str) -> list[GrantRow] | None:
    within = reach_if_any(connection, actor.username, Permission.ACCESS)
    if within == roles.NOWHERE:
        return None
    return [
        grant
        for grant in grant_queries.list_grants(connection)
        if grant.username == username and roles.covers(within, grant.organization_id)
    ]
