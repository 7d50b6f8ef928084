"""Off-boarding: everything of one person ends together, or nothing does."""

import threading
from itertools import product

import pytest

from lib.domain.access import Actor
from lib.domain.errors import (
    AuditNotWrittenError,
    NotAllowedError,
    NothingToDoError,
    PlanOutdatedError,
    UnknownPersonError,
)
from lib.domain.ids import new_id
from lib.domain.roles import PERMISSIONS, Grant, Permission, Role
from lib.domain.states import Action, Holding
from lib.operations import activity, own_tokens
from lib.operations.off_boarding import off_board, plan_off_boarding
from lib.store import tables
from lib.store.engine import writing
from tests.support.actions import act, change, everything, give, later, live_matches, select
from tests.support.activity import break_audit
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, add_staff, build, unit_of_work

HERE, THERE = "UTCJF1", "NVTBL2"
SERVICES = ("erecording", "plats")
PERSON = "utcjf1-u0"
SUPPORT = Actor("lsato", "Lee Sato", frozenset({Grant(Role.SUPPORT, HERE)}))


@pytest.fixture
def members(engine) -> dict[str, str]:
    """The person's member id in each of two organizations. The first one has another user too."""
    (own, _), (_,) = (
        build(engine, 2, organization_id=HERE, services=SERVICES),
        build(engine, 1, organization_id=THERE, services=SERVICES),
    )
    member = {"organization_id": THERE, "member_id": new_id(NOW), "username": PERSON}
    facts = {"status": "active", "name": "User", "email": "", "sort_key": "u", "search_key": "u"}
    with writing(engine) as connection:
        connection.execute(tables.member.insert().values(member | facts))
        add_staff(connection, SUPPORT.username, SUPPORT.name, *SUPPORT.grants)
    return {HERE: own, THERE: member["member_id"]}


@pytest.fixture
def tokens(engine, members) -> list[str]:
    """The person's tokens in clear: both kinds, and a request in the other organization."""
    return [
        *give(engine, members[HERE], Holding.BOTH),
        *give(engine, members[HERE], Holding.ACCEPTED, service_id="plats"),
        *give(engine, members[THERE], Holding.BOTH, organization_id=THERE, service_id="plats"),
    ]


def planned(engine, actor: Actor = ADMIN):
    """Plan the off-boarding of the person."""
    return plan_off_boarding(unit_of_work(engine), actor, PERSON)


def end(engine, off_boarding, actor: Actor = ADMIN, reason: str = ""):
    """Execute the off-boarding a minute later."""
    return off_board(unit_of_work(engine, later), actor, off_boarding, reason=reason)


def acts(off_boarding) -> list[tuple]:
    """Return organization, service and action of each plan."""
    return [(p.scope.organization_id, p.scope.service_id, p.action) for p in off_boarding.plans]


class TestAll:
    """An actor with the permission for all organizations."""

    @pytest.mark.usefixtures("tokens")
    def test_the_plan_names_what_ends_in_the_order_of_the_locks(self, engine):
        """A plan for each organization, service and action."""
        found = planned(engine)
        assert acts(found) == [
            (THERE, "plats", Action.REMOVE),
            (THERE, "plats", Action.CANCEL),
            (HERE, "erecording", Action.REMOVE),
            (HERE, "erecording", Action.CANCEL),
            (HERE, "plats", Action.REMOVE),
        ]
        assert (found.tokens, found.requests, found.organizations) == (3, 2, 2)
        assert found.everywhere

    def test_no_token_works_and_no_request_waits_after_the_off_boarding(self, engine, tokens):
        """Every digest has ended, and the person's page is empty."""
        end(engine, planned(engine))
        assert live_matches(engine, tokens) == [0] * len(tokens)
        assert own_tokens.list_own(engine, later, Actor(PERSON, "")) == []

    def test_tokens_of_other_users_are_unchanged(self, engine, tokens):  # noqa: ARG002 - the person's own
        """In the same organization and service."""
        other = select(engine, "SELECT member_id FROM member WHERE username = 'utcjf1-u1'")[0][0]
        kept = give(engine, other, Holding.BOTH)
        end(engine, planned(engine))
        assert live_matches(engine, kept) == [1, 1]

    @pytest.mark.usefixtures("tokens")
    def test_all_operations_share_a_batch_and_each_has_an_event(self, engine):
        """Each event names the person and the reason."""
        receipts = end(engine, planned(engine), reason="left the office")
        batches = select(engine, "SELECT batch_id, count(*) FROM operation GROUP BY batch_id")
        assert [count for _, count in batches] == [len(receipts)] == [5]
        events = select(
            engine,
            "SELECT operation_id, action, subject, users, reason FROM audit_event"
            " WHERE operation_id <> ''",
        )
        assert sorted(events) == sorted(
            (r.operation_id, r.action.value, PERSON, 1, "left the office") for r in receipts
        )
        view = activity.open_operation(engine, later, ADMIN, HERE, receipts[-1].operation_id)
        assert len(view.batch) == 4

    @pytest.mark.usefixtures("tokens")
    def test_a_second_call_gives_the_same_receipts(self, engine):
        """What the person was given meanwhile stays."""
        found = planned(engine)
        receipts = end(engine, found)
        member = select(engine, "SELECT member_id FROM member WHERE organization_id = 'UTCJF1'")
        given = give(engine, member[0][0], Holding.ACCEPTED)
        before = everything(engine)
        assert [r.operation_id for r in end(engine, found)] == [r.operation_id for r in receipts]
        assert everything(engine)["token"] == before["token"]
        assert live_matches(engine, given) == [1]

    def test_an_inactive_user_can_be_off_boarded(self, engine, tokens):
        """Ending is always allowed."""
        for table in ("member", "organization"):
            change(engine, f"UPDATE {table} SET status = 'inactive'")
        end(engine, planned(engine))
        assert live_matches(engine, tokens) == [0] * len(tokens)

    @pytest.mark.usefixtures("members")
    def test_a_person_without_tokens_has_no_plan(self, engine):
        """Nothing is written."""
        found = planned(engine)
        assert found.plans == ()
        with pytest.raises(NothingToDoError):
            end(engine, found)

    def test_of_two_off_boardings_at_once_one_is_refused(self, engine, tokens):
        """The other one has ended everything."""
        plans = [planned(engine), planned(engine)]
        ends, barrier = [], threading.Barrier(2)

        def attempt(found):
            barrier.wait()
            try:
                ends.append(len(end(engine, found)))
            except PlanOutdatedError:
                ends.append(0)

        threads = [threading.Thread(target=attempt, args=(found,)) for found in plans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(ends) == [0, 5]
        assert live_matches(engine, tokens) == [0] * len(tokens)


class TestReach:
    """An actor with the permission for some organizations."""

    def test_other_organizations_are_neither_changed_nor_named(self, engine, tokens):
        """Only tokens in the actor's organization end."""
        found = planned(engine, SUPPORT)
        assert {place for place, *_ in acts(found)} == {HERE}
        assert not found.everywhere
        end(engine, found, SUPPORT)
        assert live_matches(engine, tokens) == [0, 0, 0, 1, 1]

    @pytest.mark.parametrize("username", ["nvtbl2-u0", "nobody", ""])
    @pytest.mark.usefixtures("tokens")
    def test_a_person_elsewhere_is_refused_as_an_unknown_one(self, engine, username):
        """Both get the same error."""
        with pytest.raises(UnknownPersonError):
            plan_off_boarding(unit_of_work(engine), SUPPORT, username)

    @pytest.mark.parametrize(
        ("role", "place"), [*product(Role, [None, HERE, THERE]), (None, None)], ids=str
    )
    @pytest.mark.usefixtures("tokens")
    def test_off_boarding_needs_the_permission_of_the_roles_table(self, engine, role, place):
        """In each organization."""
        someone = Actor("someone", "Some One")
        with writing(engine) as connection:
            add_staff(connection, "someone", "Some One", *([Grant(role, place)] if role else []))
        if not role or Permission.OFF_BOARD not in PERMISSIONS[role]:
            with pytest.raises(NotAllowedError):
                planned(engine, someone)
            return
        where = {HERE, THERE} if place is None else {place}
        assert {found for found, *_ in acts(planned(engine, someone))} == where

    @pytest.mark.usefixtures("tokens")
    def test_somebody_elses_off_boarding_is_refused(self, engine):
        """Only the person who planned it can confirm it."""
        found = planned(engine)
        before = everything(engine)
        with pytest.raises(NotAllowedError):
            end(engine, found, SUPPORT)
        assert everything(engine) == before

    @pytest.mark.usefixtures("tokens")
    def test_off_boarding_is_refused_when_the_role_was_revoked_after_the_plan(self, engine):
        """In every organization of the batch."""
        change(engine, "UPDATE role_grant SET organization_id = 'UTCJF1' WHERE username = 'mhale'")
        found = planned(engine)
        change(engine, "UPDATE role_grant SET organization_id = 'NVTBL2' WHERE username = 'mhale'")
        before = everything(engine)
        with pytest.raises(NotAllowedError):
            end(engine, found)
        assert everything(engine) == before
        refusals = select(
            engine, "SELECT actor, subject, detail FROM audit_event WHERE action = 'refusal'"
        )
        assert refusals == [("mhale", PERSON, "remove: NotAllowed")]


class TestChanged:
    """Tokens changed after the plan."""

    @pytest.mark.parametrize("what", ["a token removed", "a request more", "a token more"])
    @pytest.mark.usefixtures("tokens")
    def test_an_outdated_plan_ends_nothing(self, engine, members, what):
        """Whatever was added or ended. The refusal is recorded."""
        found = planned(engine)
        if what == "a token removed":
            act(engine, Action.REMOVE, [members[HERE]])
        elif what == "a request more":
            act(engine, Action.REQUEST, [members[HERE]], service_id="plats")
        else:
            give(
                engine,
                members[THERE],
                Holding.ACCEPTED,
                organization_id=THERE,
                service_id="erecording",
            )
        before = everything(engine)
        with pytest.raises(PlanOutdatedError) as outdated:
            end(engine, found)
        assert outdated.value.changed
        assert everything(engine) == before
        refusals = select(engine, "SELECT detail FROM audit_event WHERE action = 'refusal'")
        assert refusals == [("remove: PlanOutdated",)]

    def test_nothing_ends_when_it_cannot_be_recorded(self, engine, tokens):
        """Without an audit event nothing happens."""
        found = planned(engine)
        break_audit(engine)
        before = everything(engine)
        with pytest.raises(AuditNotWrittenError):
            end(engine, found)
        assert everything(engine) == before
        assert live_matches(engine, tokens) == [1] * len(tokens)
