"""Generate & Export that keeps existing tokens until the new one is used (ruling 3)."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.errors import ApprovalMissingError
from lib.domain.states import Action, ExistingTokens, Holding
from lib.operations import approvals, own_tokens
from lib.operations.actions import execute
from lib.operations.activity import open_operation
from lib.operations.token_list import match_users
from lib.operations.verification.token_verifier import TokenVerifier
from tests.support.actions import (
    OTHER_ADMIN,
    act,
    add_administrator,
    asked_for,
    exported,
    give,
    later,
    live_matches,
    plan,
    select,
)
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, clock, unit_of_work

STOP, KEEP = ExistingTokens


def generate_beside(engine: Engine, member_id: str) -> tuple[str, str]:
    """Give a user an accepted token and a second one beside it; return the old and the new one."""
    (old,) = give(engine, member_id, Holding.ACCEPTED)
    _, outcome = act(engine, Action.GENERATE, [member_id], existing_tokens=KEEP)
    return old, exported(outcome)[0]


class TestBothLive:
    """Old and new token work side by side."""

    def test_the_old_and_the_new_token_work_until_the_new_one_is_used(self, engine):
        """The first use of the new one replaces the old one; use of the old one changes nothing."""
        old, new = generate_beside(engine, build(engine, 1)[0])
        verifier = TokenVerifier(unit_of_work(engine, later), MINTING)
        for _ in range(2):
            assert verifier.check(old)
            verifier.uses.flush()
            assert live_matches(engine, [old, new]) == [1, 1]
        assert verifier.check(new)
        assert verifier.check(old), "the write comes after the answer"
        verifier.uses.flush()
        assert live_matches(engine, [old, new]) == [0, 1]
        assert select(engine, "SELECT state FROM token ORDER BY state") == [
            ("accepted",),
            ("replaced",),
        ]
        verifier.close()

    @pytest.mark.parametrize("step", ["accept", "decline"])
    def test_accept_ends_the_old_token_and_decline_the_new_one(self, engine, step):
        """Both steps are the user's own."""
        old, new = generate_beside(engine, build(engine, 1)[0])
        me = Actor("utcjf1-u0", "User")
        pending = own_tokens.list_own(engine, later, me)[0]
        if step == "accept":
            own_tokens.accept(unit_of_work(engine, later), me, pending, MINTING)
        else:
            own_tokens.decline(unit_of_work(engine, later), me, pending)
        assert live_matches(engine, [old, new]) == ([0, 1] if step == "accept" else [1, 0])

    def test_the_filter_finds_users_with_two_live_tokens(self, engine):
        """A request beside a token is not a token yet."""
        two, one, request = build(engine, 3)
        generate_beside(engine, two)
        act(engine, Action.GENERATE, [one], existing_tokens=KEEP)
        give(engine, request, Holding.ACCEPTED)
        act(engine, Action.REQUEST, [request])
        found = {
            holding: match_users(engine, clock, ADMIN, ORG, SERVICE, "", holding)
            for holding in ("old-and-new", "both")
        }
        assert found == {"old-and-new": [two], "both": [two, request]}


class TestRecorded:
    """The choice stands wherever the operation does."""

    @pytest.mark.parametrize("existing_tokens", ExistingTokens)
    def test_operation_receipt_and_event_name_the_choice(self, engine, existing_tokens):
        """A repeated call returns the same receipt."""
        ids = build(engine, 2)
        give(engine, ids[0], Holding.ACCEPTED)
        planned, outcome = act(engine, Action.GENERATE, ids, existing_tokens=existing_tokens)
        assert outcome.receipt.existing_tokens is existing_tokens
        again = execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert again.receipt == outcome.receipt
        view = open_operation(engine, later, ADMIN, ORG, planned.operation_id)
        assert view.done.existing_tokens is existing_tokens
        detail = planned.csv_name + ("; existing tokens: keep" if existing_tokens is KEEP else "")
        assert select(engine, "SELECT detail FROM audit_event WHERE action = 'generate'") == [
            (detail,)
        ]

    @pytest.mark.parametrize("action", [a for a in Action if a is not Action.GENERATE])
    def test_other_actions_have_no_choice(self, engine, action):
        """They ignore it."""
        ids = build(engine, 1)
        give(engine, ids[0], Holding.PENDING if action is Action.CANCEL else Holding.ACCEPTED)
        planned, outcome = act(engine, action, ids, existing_tokens=KEEP)
        assert planned.existing_tokens is outcome.receipt.existing_tokens is STOP
        assert select(engine, "SELECT existing_tokens FROM operation") == [("stop",)]


class TestFourEyes:
    """The approval fits one choice only."""

    @pytest.mark.parametrize("approved", ExistingTokens)
    def test_an_approved_choice_cannot_be_exchanged_for_the_other(self, engine, approved):
        """The other choice is refused, and the approved one is executed."""
        ids = build(engine, 3)
        old = give(engine, ids[0], Holding.ACCEPTED)
        add_administrator(engine)
        books = unit_of_work(engine, later, four_eyes=2)
        planned = plan(engine, Action.GENERATE, ids, existing_tokens=approved)
        approvals.request(books, ADMIN, planned)
        approvals.answer(books, OTHER_ADMIN, ORG, planned.operation_id, approve=True)
        assert asked_for(engine, planned.operation_id)[1] == planned
        other = replace(planned, existing_tokens=KEEP if approved is STOP else STOP)
        with pytest.raises(ApprovalMissingError):
            execute(books, ADMIN, other, MINTING)
        assert live_matches(engine, old) == [1]
        assert execute(books, ADMIN, planned, MINTING).csv
        assert live_matches(engine, old) == [1 if approved is KEEP else 0]
