"""Several operations as one act: under one batch id, in one transaction, all of them or none."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from lib.domain.audit import Event
from lib.domain.plan import Plan
from lib.domain.rows import Receipt
from lib.domain.secrets import Minting
from lib.domain.states import Action
from lib.operations.actions import perform
from lib.operations.ledger import Ledger
from lib.store import operation_queries

_NOTHING_TO_MINT = Minting("", {})


def after_removals(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return `plans` as they hold one after the other: what was removed is not seen any more."""
    removed: dict[tuple[str, str], set[str]] = {}
    following = []
    for plan in plans:
        place = (plan.scope.organization_id, plan.scope.service_id)
        if plan.action is Action.REMOVE:
            removed.setdefault(place, set()).update(plan.seen)
        gone = removed.get(place, set()) if plan.action is Action.CANCEL else set()
        seen = {
            member_id: found._replace(accepted_token=None) if member_id in gone else found
            for member_id, found in plan.seen.items()
        }
        following.append(replace(plan, seen=seen))
    return tuple(following)


def perform_all(
    connection: Connection,
    ledger: Ledger,
    plans: Sequence[Plan],
    batch_id: str,
    event_of: Callable[[Plan], Event],
) -> tuple[Receipt, ...]:
    """Carry out `plans` for a caller who has asked whether they are allowed.

    All scopes are locked first, sorted: who holds the end of an audit chain must not wait for one.
    """
    places = {(plan.scope.organization_id, plan.scope.service_id) for plan in plans}
    for organization_id, service_id in sorted(places):
        operation_queries.lock_scope(connection, organization_id, service_id)
    return tuple(
        perform(
            connection, ledger, plan, _NOTHING_TO_MINT, event_of(plan), batch_id=batch_id
        ).receipt
        for plan in plans
    )
