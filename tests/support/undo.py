"""Helpers for tests of Undo: an undo at a moment, and what the users have before and after."""

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.operations import Receipt
from lib.domain.undo_plan import UndoPlan
from lib.operations.undo import plan_undo, undo
from tests.support.actions import LATER, select
from tests.support.directory import ADMIN, ORG, unit_of_work

UNDONE_AT = LATER + 1_000


def plan_undo_at(
    engine: Engine,
    operation_id: str,
    *,
    actor: Actor = ADMIN,
    at: int = UNDONE_AT,
    organization_id: str = ORG,
) -> UndoPlan:
    """Plan the undo of an operation at a moment."""
    return plan_undo(unit_of_work(engine, lambda: at), actor, organization_id, operation_id)


def undo_at(
    engine: Engine, operation_id: str, *, actor: Actor = ADMIN, at: int = UNDONE_AT, **where: str
) -> tuple[Receipt, ...]:
    """Plan and execute the undo of an operation at a moment."""
    planned = plan_undo_at(engine, operation_id, actor=actor, at=at, **where)
    return undo(unit_of_work(engine, lambda: at), actor, planned)


def live_facts(engine: Engine) -> set[tuple]:
    """Return of each live row what an undo gives back: the holder, the token and its times."""
    return set(
        select(
            engine,
            "SELECT organization_id, service_id, member_id, state, origin, digest, pepper, hint,"
            " issued_at, accepted_at, last_used_at, expires_at, made_by_operation,"
            " COALESCE(first_token_id, token_id) FROM token WHERE ended_at IS NULL",
        )
    )
