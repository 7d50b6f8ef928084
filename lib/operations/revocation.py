"""Whoever holds a token can end it (RFC 7009): leaked tokens are killed by those who find them."""

from lib.domain.audit import Event, EventAction
from lib.domain.lifecycle import ENDS, ending
from lib.domain.rows import FoundToken
from lib.domain.states import TokenState
from lib.operations.ledger import Ledger
from lib.store import operation_queries, token_queries


def end(ledger: Ledger, found: FoundToken, address: str, asked_by: str) -> bool:
    """End a live token, good or not, for whoever asks; tell whether it was live.

    Raises StoreUnavailable and AuditUnwritten.
    """
    place = (found.organization_id, found.service_id)
    attempt = Event(
        EventAction.REMOVE,
        "",
        address,
        *place,
        subject=found.username,
        users=1,
        detail=f"revoke, asked by {asked_by}",
    )
    with ledger.acting(attempt) as connection:
        operation_queries.lock_scope(connection, *place)
        now = ledger.clock()  # after the wait for the lock
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
        ledger.record(connection, attempt._replace(action=EventAction(ENDS[state].value)))
    return True
