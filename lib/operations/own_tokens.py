"""Accept and decline: what users do with their own pending tokens and requests (ruling 7)."""

from functools import partial

from sqlalchemy import Connection, Engine

from lib.domain import token_format
from lib.domain.access import Actor
from lib.domain.audit import Event
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
    """Return the actor's live tokens and requests everywhere: pending first, then newest first."""
    with reading(engine) as connection:
        return token_queries.own_tokens(connection, actor.username, clock())


def accept(
    unit_of_work: UnitOfWork, actor: Actor, pending: OwnToken, minting: Minting
) -> str | None:
    """Accept a pending token or request. The accepted token that it replaces ends at the same time.

    For a request, returns the new token in clear; it is never returned again. For an exported
    token, returns None: its user has it from the CSV. Raises TokenNotPendingError,
    UnknownPlaceError, and StepRefusedError when the user, organization or subscription is inactive.
    """
    return _step(unit_of_work, actor, pending, OwnStep.ACCEPT, minting)


def decline(unit_of_work: UnitOfWork, actor: Actor, pending: OwnToken) -> None:
    """Decline a pending token or request. An exported token stops working.

    Raises TokenNotPendingError and UnknownPlaceError.
    """
    _step(unit_of_work, actor, pending, OwnStep.DECLINE, None)


def _step(
    unit_of_work: UnitOfWork,
    actor: Actor,
    pending: OwnToken,
    step: OwnStep,
    minting: Minting | None,
) -> str | None:
    with unit_of_work.transaction(_event(actor, pending, step)) as connection:
        return step_within(connection, unit_of_work, actor, pending, step, minting)


def step_within(
    connection: Connection,
    unit_of_work: UnitOfWork,
    actor: Actor,
    pending: OwnToken,
    step: OwnStep,
    minting: Minting | None,
) -> str | None:
    """As `accept` or `decline`, in the caller's transaction. Only `accept` needs `minting`."""
    token = _execute(connection, unit_of_work.clock, actor, pending, step, minting)
    unit_of_work.record(connection, _event(actor, pending, step))
    return token


def _execute(
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
    mint_by = minting if origin is Origin.REQUEST else None
    return _accept(connection, scope, pending.token_id, now, mint_by)


def _event(actor: Actor, pending: OwnToken, step: OwnStep) -> Event:
    return Event(
        step,
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
    """Return the actor's membership with the pending token `token_id`, and the token's origin."""
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
    connection: Connection, scope: Scope, token_id: str, now: Moment, mint_by: Minting | None
) -> str | None:
    organization_id = scope.organization_id
    if mint_by is None:
        token_queries.accept_pending(connection, organization_id, token_id, now, None)
        return None
    (token,) = token_format.mint(1, mint_by.prefix)
    (digest,) = mint_by.digests([token])
    secret = (digest, token_format.hint(token), mint_by.pepper_number, scope.policy.ends(now))
    token_queries.accept_pending(connection, organization_id, token_id, now, secret)
    return token
