"""Revocation by whoever has the token (RFC 7009). Who finds a leaked token can end it."""

from lib.domain.audit import Event
from lib.domain.lifecycle import ENDS, ending
from lib.domain.states import Action, TokenState
from lib.domain.tokens import FoundToken
from lib.operations.unit_of_work import UnitOfWork
from lib.store import operation_queries, token_queries


def end(unit_of_work: UnitOfWork, found: FoundToken, address: str, asked_by: str) -> bool:
    """End a live token, even one that is inactive now. Returns False when it was not live.

    `address` and `asked_by` are written into the audit event. Raises DatabaseUnavailableError and
    AuditNotWrittenError.
    """
    place = (found.organization_id, found.service_id)
    attempt = Event(
        Action.REMOVE,
        "",
        address,
        *place,
        subject=found.username,
        users=1,
        detail=f"revoke, asked by {asked_by}",
    )
    with unit_of_work.transaction(attempt) as connection:
        operation_queries.lock_scope(connection, *place)
        now = unit_of_work.clock()  # after the wait for the lock
        at = (connection, *place, now, [found.member_id])
        token_queries.close_lapsed(*at)
        (user,) = token_queries.users_in_scope(*at)
        live = {user.accepted_token: TokenState.ACCEPTED, user.pending_token: TokenState.PENDING}
        state = live.get(found.token_id)
        if state is None:
            return False
        ends = ending(ENDS[state])
        becomes = ends.accepted_becomes or ends.pending_becomes
        if becomes is None:
            return False
        token_queries.end_token(
            connection, found.organization_id, found.token_id, now, was=state, becomes=becomes
        )
        unit_of_work.record(connection, attempt._replace(action=ENDS[state]))
    return True
