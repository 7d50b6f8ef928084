"""Revocation by whoever has the token (RFC 7009). Who finds a leaked token can end it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from lib.domain.audit import Event, EventAction
from lib.domain.clock import Moment
from lib.domain.lifecycle import ENDS, ending
from lib.domain.states import Action, TokenState
from lib.domain.tokens import NamedToken
from lib.operations.unit_of_work import UnitOfWork
from lib.store import barring_queries, operation_queries, token_queries
from lib.store.engine import reading


def revoke(
    unit_of_work: UnitOfWork, digests: Sequence[bytes], address: str, service_id: str | None
) -> bool:
    """End the token with one of `digests`, even one that is inactive. False if it was not live.

    A token that ended before is marked, so that no undo revives it. With `service_id`, a token of
    another service does not count. `address` is that of the caller, for the audit event. Raises
    DatabaseUnavailableError and AuditNotWrittenError.
    """
    with reading(unit_of_work.engine) as connection:
        named = barring_queries.find_named(connection, digests)
    if named is None or service_id not in {None, named.service_id}:
        return False
    place = (named.organization_id, named.service_id)
    asked_by = f"service {service_id}" if service_id else "its holder"
    attempt = Event(
        Action.REMOVE,
        "",
        address,
        *place,
        subject=named.username,
        users=1,
        detail=f"revoke, asked by {asked_by}",
    )
    with unit_of_work.transaction(attempt) as connection:
        operation_queries.lock_scope(connection, *place)
        now = unit_of_work.clock()  # after the wait for the lock
        # Again: an undo may have moved the digest to another row.
        named = barring_queries.find_named(connection, digests) or named
        ended_by = _end(connection, named, now)
        is_new = barring_queries.bar(connection, named.organization_id, [named.token_id], now)
        if is_new:
            action = ended_by or EventAction.BAR
            unit_of_work.record(connection, attempt._replace(action=action))
    return ended_by is not None


def _end(connection: Connection, named: NamedToken, now: Moment) -> Action | None:
    """End the row if it is live; return the action that ends rows of its state, else None."""
    at = (connection, named.organization_id, named.service_id, now, [named.member_id])
    token_queries.close_lapsed(*at)
    (user,) = token_queries.users_in_scope(*at)
    live = {user.accepted_token: TokenState.ACCEPTED, user.pending_token: TokenState.PENDING}
    state = live.get(named.token_id)
    if state is None:
        return None
    ends = ending(ENDS[state])
    becomes = ends.accepted_becomes or ends.pending_becomes
    if becomes is None:
        return None
    token_queries.end_token(
        connection, named.organization_id, named.token_id, now, was=state, becomes=becomes
    )
    return ENDS[state]
