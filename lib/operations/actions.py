"""The four bulk actions: planned at the first confirmation, carried out at the last.

Everything that one operation changes, its result rows included, is one transaction: it happens
whole and once, or not at all.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from lib.domain import plan as planning
from lib.domain import secrets
from lib.domain.clock import Clock, Moment, iso
from lib.domain.errors import NothingToDo, PlanOutdated, SelectionGone, UnknownPlace
from lib.domain.ids import new_id, new_ids
from lib.domain.lifecycle import ending
from lib.domain.plan import Plan
from lib.domain.rows import Actor, Receipt, ResultRow, Scope, Seen, UserInScope
from lib.domain.secrets import Minting
from lib.domain.sheet import sheet
from lib.domain.states import Action, Origin
from lib.operations.access import require_administrator
from lib.store import operation_queries, token_queries
from lib.store.engine import reading, writing

_log = logging.getLogger(__name__)

CSV_HEADER = (
    "Organization ID",
    "Organization",
    "Service",
    "Name",
    "Username",
    "Email",
    "API Token",
    "Generated At",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one confirmation did.

    `csv` holds tokens in clear, for the caller that made them only: it is None for other actions
    and on every later call.
    """

    receipt: Receipt
    csv: bytes | None = field(default=None, repr=False)


def plan_action(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    action: Action,
    organization_id: str,
    service_id: str,
    member_ids: Sequence[str],
) -> Plan:
    """Return what `action` is going to do to `member_ids`; nothing is written.

    Raises NotAllowed, UnknownPlace, and SelectionGone when an id is no user of the organization.
    """
    now = clock()
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        scope = operation_queries.read_scope(connection, organization_id, service_id)
        if scope is None:
            raise UnknownPlace(organization_id, service_id)
        users = token_queries.users_in_scope(
            connection, organization_id, service_id, now, member_ids
        )
    if len(users) != len(set(member_ids)):
        raise SelectionGone(len(set(member_ids)) - len(users))
    seen = _look(users, action, scope)
    counts = planning.preview(users, seen, ending(action), now)
    return Plan(new_id(now), action, actor.username, now, scope, seen, counts)


def carry_out(engine: Engine, clock: Clock, plan: Plan, minting: Minting) -> Outcome:
    """Do what `plan` says, all of it or nothing, once for its operation id.

    A second call with the same plan returns the first one's receipt. Raises NotAllowed,
    UnknownPlace, NothingToDo, and PlanOutdated when a selected user's tokens or standing changed
    since the plan was made. `minting` is used by Generate & Export alone.
    """
    with writing(engine) as connection:
        require_administrator(connection, plan.actor)
        organization_id, service_id = plan.scope.organization_id, plan.scope.service_id
        scope = operation_queries.lock_scope(connection, organization_id, service_id)
        if scope is None:
            raise UnknownPlace(organization_id, service_id)
        earlier = operation_queries.find_receipt(connection, organization_id, plan.operation_id)
        if earlier:
            return Outcome(earlier)
        if not plan.preview.changed:
            raise NothingToDo
        outcome = _write(connection, clock(), plan, scope, minting)
    _log.info("%s: %d users changed", plan.action.value, plan.preview.changed)
    return outcome


def read_results(
    engine: Engine, actor: Actor, organization_id: str, operation_id: str
) -> tuple[ResultRow, ...]:
    """Return what an operation did to each user. Raises NotAllowed."""
    with reading(engine) as connection:
        require_administrator(connection, actor.username)
        return tuple(operation_queries.result_rows(connection, organization_id, operation_id))


def _write(
    connection: Connection, now: Moment, plan: Plan, scope: Scope, minting: Minting
) -> Outcome:
    """Check the plan against what is there now, then end, add and record. The lock is held."""
    at = (scope.organization_id, scope.service_id, now, plan.seen)
    token_queries.close_lapsed(connection, *at)
    users = token_queries.users_in_scope(connection, *at)
    if len(users) != len(plan.seen):
        raise SelectionGone(len(plan.seen) - len(users))
    changed = planning.differences(plan, users, _look(users, plan.action, scope))
    if changed:
        raise PlanOutdated(changed)
    receivers = [user for user in users if not plan.seen[user.member_id].skip]
    if ending(plan.action).creates is Origin.EXPORT:
        return _generate(connection, now, plan, scope, receivers, minting)
    _record(connection, now, plan)
    if ending(plan.action).creates is Origin.REQUEST:
        ids = zip(new_ids(len(receivers), now), (u.member_id for u in receivers), strict=True)
        token_queries.add_requests(connection, scope, plan.operation_id, now, ids)
    return Outcome(_receipt(plan, now))


def _generate(
    connection: Connection,
    now: Moment,
    plan: Plan,
    scope: Scope,
    receivers: Sequence[UserInScope],
    minting: Minting,
) -> Outcome:
    tokens = secrets.mint(len(receivers), minting.prefix)
    csv = _csv(scope, receivers, tokens, now)
    sha256 = hashlib.sha256(csv).hexdigest()
    _record(connection, now, plan, plan.csv_name, sha256)
    rows = zip(
        new_ids(len(receivers), now),
        (user.member_id for user in receivers),
        minting.digests(tokens),
        map(secrets.hint, tokens),
        strict=True,
    )
    token_queries.add_exported(
        connection, scope, plan.operation_id, now, minting.pepper_number, rows
    )
    return Outcome(_receipt(plan, now, plan.csv_name, sha256), csv)


def _record(
    connection: Connection, now: Moment, plan: Plan, csv_name: str = "", csv_sha256: str = ""
) -> None:
    """Insert the operation with its results, then end what it ends, before others begin."""
    operation_queries.add_operation(connection, plan, now, csv_name, csv_sha256)
    token_queries.end_tokens(connection, plan.scope, plan.operation_id, ending(plan.action), now)


def _receipt(plan: Plan, now: Moment, csv_name: str = "", csv_sha256: str = "") -> Receipt:
    return Receipt(
        plan.operation_id,
        plan.action,
        plan.actor,
        plan.scope.organization_id,
        plan.scope.service_id,
        now,
        plan.preview.changed,
        csv_name,
        csv_sha256,
        plan.preview.skipped,
    )


def _csv(scope: Scope, users: Iterable[UserInScope], tokens: Iterable[str], now: Moment) -> bytes:
    place = (scope.organization_id, scope.organization_name, scope.service_name)
    at = iso(now)
    return sheet(
        CSV_HEADER,
        (
            (*place, user.name, user.username, user.email, token, at)
            for user, token in zip(users, tokens, strict=True)
        ),
    )


def _look(users: Iterable[UserInScope], action: Action, scope: Scope) -> dict[str, Seen]:
    return {user.member_id: planning.look(user, action, scope.standing) for user in users}
