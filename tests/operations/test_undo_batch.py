"""Undo of an off-boarding: all operations of the batch together, in every organization."""

import pytest

from lib.domain.errors import NotAllowedError, NotUndoableError, OutOfReachError
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, Cause
from lib.domain.undo import UndoRefusal
from lib.operations.undo import read_undo_state
from lib.operations.users import open_person
from lib.store.engine import writing
from tests.operations.test_off_boarding import (
    HERE,
    PERSON,
    SUPPORT,
    THERE,
    end,
    members,
    planned,
    tokens,
)
from tests.support.actions import act, everything, later, live_matches, select
from tests.support.directory import ADMIN, add_staff, unit_of_work
from tests.support.undo import live_facts, plan_undo_at, undo_at

__all__ = ["members", "tokens"]  # fixtures


@pytest.fixture
def before(engine, tokens):
    """The live rows before the person was off-boarded."""
    assert tokens
    return live_facts(engine)


@pytest.fixture
def receipts(engine, before):
    """The receipts of the person's off-boarding."""
    assert before
    return end(engine, planned(engine))


@pytest.mark.parametrize("number", [0, -1])
def test_one_undo_restores_the_whole_off_boarding(engine, before, receipts, number, tokens):
    """From any of its operations: both organizations, both services, tokens and requests."""
    chosen = receipts[number]
    assert {receipt.cause for receipt in receipts} == {Cause.OFF_BOARDING}
    undone = undo_at(engine, chosen.operation_id, organization_id=chosen.organization_id)
    assert live_facts(engine) == before
    assert live_matches(engine, tokens) == [1] * len(tokens)
    assert {r.undoes for r in undone} == {r.operation_id for r in receipts}
    assert select(engine, "SELECT DISTINCT batch_id <> '' FROM operation WHERE cause = 'undo'") in (
        [(1,)],
        [(True,)],
    )
    events = select(engine, "SELECT subject FROM audit_event WHERE action = 'undo'")
    assert events == [(PERSON,)] * len(receipts)
    with pytest.raises(NotUndoableError) as caught:
        plan_undo_at(engine, receipts[0].operation_id, organization_id=receipts[0].organization_id)
    assert caught.value.refusal is UndoRefusal.UNDONE
    assert len(open_person(engine, later, ADMIN, PERSON).live) == len(tokens)


def test_whoever_reaches_one_organization_only_is_refused_with_the_count(engine, receipts):
    """Two people of one organization each: nothing is written."""
    here = next(r for r in receipts if r.organization_id == HERE)
    there = next(r for r in receipts if r.organization_id == THERE)
    before = everything(engine)
    with pytest.raises(OutOfReachError) as caught:
        plan_undo_at(engine, here.operation_id, actor=SUPPORT)
    assert caught.value.organizations == 1
    with pytest.raises(OutOfReachError):
        plan_undo_at(engine, there.operation_id, actor=SUPPORT, organization_id=THERE)
    state = read_undo_state(unit_of_work(engine, later), SUPPORT, HERE, here.operation_id)
    assert (state.refusal, state.allowed) == (None, False)
    with writing(engine) as connection:
        add_staff(connection, "analyst", "Ana Lyst", Grant(Role.ANALYST))
    with pytest.raises(NotAllowedError):
        plan_undo_at(engine, here.operation_id, actor=SUPPORT._replace(username="analyst"))
    assert everything(engine) | {"user_account": [], "role_grant": []} == before | {
        "user_account": [],
        "role_grant": [],
    }


def test_a_service_with_a_new_token_is_skipped_and_the_others_are_restored(
    engine,
    before,
    receipts,
    members,
):
    """Somebody generated a token for the person in the meantime."""
    act(engine, Action.GENERATE, [members[HERE]])
    undone = undo_at(engine, receipts[0].operation_id, organization_id=receipts[0].organization_id)
    at = {(r.organization_id, r.service_id): r.changed for r in undone}
    assert at[HERE, "erecording"] == 0
    assert at[HERE, "plats"] == 1
    kept = {row for row in before if row[:2] != (HERE, "erecording")}
    assert kept <= live_facts(engine)
