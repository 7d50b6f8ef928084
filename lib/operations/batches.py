"""Batches: several operations under one batch id, in one transaction, all of them or none."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from lib.domain.audit import Event
from lib.domain.operations import Batch, Receipt
from lib.domain.plan import Plan
from lib.domain.states import Action
from lib.domain.token_format import Minting
from lib.operations.actions import execute_within
from lib.operations.unit_of_work import UnitOfWork
from lib.store import operation_queries

_NOTHING_TO_MINT = Minting("", {})


def after_removals(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return `plans` adapted to their order: a later plan does not see what an earlier one removed.

    Without this, the Cancel of a user would be outdated by the Remove of the same user before it.
    """
    removed: dict[tuple[str, str], set[str]] = {}
    following = []
    for plan in plans:
        place = (plan.scope.organization_id, plan.scope.service_id)
        if plan.action is Action.REMOVE:
            removed.setdefault(place, set()).update(plan.seen)
        ended = removed.get(place, set()) if plan.action is Action.CANCEL else set()
        seen = {
            member_id: found._replace(accepted_token=None) if member_id in ended else found
            for member_id, found in plan.seen.items()
        }
        following.append(replace(plan, seen=seen))
    return tuple(following)


def lock_all(connection: Connection, places: Iterable[tuple[str, str]]) -> None:
    """Lock these organizations and services, in the order that every transaction uses."""
    for organization_id, service_id in sorted(set(places)):
        operation_queries.lock_scope(connection, organization_id, service_id)


def execute_all(
    connection: Connection,
    unit_of_work: UnitOfWork,
    plans: Sequence[Plan],
    batch: Batch,
    event_of: Callable[[Plan], Event],
) -> tuple[Receipt, ...]:
    """Execute `plans` in the caller's transaction. The caller has checked the permission.

    All scopes are locked first, in sorted order. A transaction that holds the lock of an audit
    chain must not wait for the lock of a scope, or two transactions could wait for each other.
    """
    lock_all(connection, ((p.scope.organization_id, p.scope.service_id) for p in plans))
    return tuple(
        execute_within(
            connection, unit_of_work, plan, _NOTHING_TO_MINT, event_of(plan), batch=batch
        ).receipt
        for plan in plans
    )
