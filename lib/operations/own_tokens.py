"""What users do with what is pending for them: accept or decline (ruling 7)."""

from functools import partial

from sqlalchemy import Connection, Engine

from lib.domain import token_format
from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction
from lib.domain.clock import Clock, Moment
from lib.domain.errors import StepRefusedError, TokenNotPendingError, UnknownPlaceError
from lib.domain.lifecycle import decide
from lib.domain.operations import Scope
from lib.domain.plan import active_flags_of
from lib.domain.states import Origin, OwnStep, Skip, TokenState
from lib.domain.token_format import Minting
from lib.domain.tokens import OwnToken, UserInScope
from lib.operations.unit_of_work import UnitOfWork
from lib.store import operation_queries, token_queries
from lib.store.engine import reading


def list_own(engine: Engine, clock: Clock, actor: Actor) -> list[OwnToken]:
    """Return the actor's live tokens and requests everywhere, pending first, newest first."""
    with reading(engine) as connection:
        return token_queries.own_tokens(connection, actor.username, clock())


def accept(
    unit_of_work: UnitOfWork, actor: Actor, pending: OwnToken, minting: Minting
) -> str | None:
    """Accept what is pending; an accepted token that it replaces ends in the same transaction.

    Returns the new token, in clear and only here, for a request; None for an exported token,
    whose holder has it from the CSV. Raises TokenGone, and Refused when something is inactive.
    """
    return _step(unit_of_work, actor, pending, OwnStep.ACCEPT, minting)


def decline(unit_of_work: UnitOfWork, actor: Actor, pending: OwnToken) -> None:
    """Decline what is pending; an exported token stops working. Raises TokenGone."""
    _step(unit_of_work, actor, pending, OwnStep.DECLINE, None)


def _step(
    unit_of_work: UnitOfWork,
    actor: Actor,
    pending: OwnToken,
    step: OwnStep,
    minting: Minting | None,
) -> str | None:
    event = _event(actor, pending, step)
    with unit_of_work.transaction(event) as connection:
        token = _take(connection, unit_of_work.clock, actor, pending, step, minting)
        unit_of_work.record(connection, event)
    return token


def _take(
    connection: Connection,
    clock: Clock,
    actor: Actor,
    pending: OwnToken,
    step: OwnStep,
    minting: Minting | None,
) -> str | None:
    scope = operation_queries.lock_scope(connection, pending.organization_id, pending.service_id)
    if scope is None:
        raise UnknownPlaceError(pending.organization_id, pending.service_id)
    now = clock()  # after the wait for the lock
    user, origin = _owner(connection, scope, pending.token_id, actor, now)
    change = decide(user.holding, step, active_flags_of(user, scope.active_flags))
    if isinstance(change, Skip):
        raise StepRefusedError(change.value)
    end = partial(token_queries.end_token, connection, scope.organization_id, now=now)
    if user.accepted_token and change.accepted_becomes:
        end(user.accepted_token, was=TokenState.ACCEPTED, becomes=change.accepted_becomes)
    if step is OwnStep.DECLINE and change.pending_becomes:
        end(pending.token_id, was=TokenState.PENDING, becomes=change.pending_becomes)
        return None
    asked = minting if origin is Origin.REQUEST else None
    return _accept(connection, scope, pending.token_id, now, asked)


def _event(actor: Actor, pending: OwnToken, step: OwnStep) -> Event:
    return Event(
        EventAction(step.value),
        actor.username,
        actor.address,
        pending.organization_id,
        pending.service_id,
        subject=actor.username,
        users=1,
    )


def _owner(
    connection: Connection, scope: Scope, token_id: str, actor: Actor, now: Moment
) -> tuple[UserInScope, Origin]:
    """Return the actor's membership that holds `token_id` pending, and its origin."""
    found = token_queries.pending_owner(connection, scope, token_id, actor.username)
    if found is None:
        raise TokenNotPendingError
    member_id, origin = found
    at = (scope.organization_id, scope.service_id, now, [member_id])
    token_queries.close_lapsed(connection, *at)
    (user,) = token_queries.users_in_scope(connection, *at)
    if user.pending_token != token_id:
        raise TokenNotPendingError
    return user, origin


def _accept(
    connection: Connection, scope: Scope, token_id: str, now: Moment, asked: Minting | None
) -> str | None:
    organization_id = scope.organization_id
    if asked is None:
        token_queries.accept_pending(connection, organization_id, token_id, now, None)
        return None
    (token,) = token_format.mint(1, asked.prefix)
    (digest,) = asked.digests([token])
    secret = (digest, token_format.hint(token), asked.pepper_number, scope.policy.ends(now))
    token_queries.accept_pending(connection, organization_id, token_id, now, secret)
    return token
