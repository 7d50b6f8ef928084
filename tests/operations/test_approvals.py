"""Four eyes: one API administrator plans and downloads, another approves, each within the hour."""

from dataclasses import replace

import pytest

from lib.domain.access import Actor
from lib.domain.approver import ApproverRole
from lib.domain.clock import DAY, HOUR, MINUTE
from lib.domain.errors import (
    ApprovalAnsweredError,
    ApprovalExpiredError,
    ApprovalMissingError,
    ApproverTooNewError,
    AuditNotWrittenError,
    DeskError,
    NotAllowedError,
    PlanOutdatedError,
    SelfApprovalError,
)
from lib.domain.plan import Plan
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, ApprovalState, Holding
from lib.operations import activity, approvals, grants
from lib.operations.actions import execute, needs_approval
from lib.operations.unit_of_work import UnitOfWork
from lib.store.engine import writing
from tests.support.actions import (
    OTHER_ADMIN,
    act,
    add_administrator,
    asked_for,
    change,
    everything,
    exported,
    give,
    live_matches,
    plan,
    select,
)
from tests.support.activity import break_audit
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, add_staff, build, unit_of_work

FOUR_EYES = 2
USERS = 3
ELSEWHERE = Actor("lsato", "Lee Sato", frozenset({Grant(Role.ADMINISTRATOR, "NVTBL2")}))


def at(engine, minutes: float = 0) -> UnitOfWork:
    """Return the unit of work, so many minutes after the tests' moment."""
    return unit_of_work(engine, lambda: NOW + int(minutes * MINUTE), four_eyes=FOUR_EYES)


@pytest.fixture
def asked(engine) -> Plan:
    """A plan for more users than one administrator may generate for; its approval was requested."""
    ids = build(engine, USERS)
    give(engine, ids[0], Holding.ACCEPTED)
    add_administrator(engine)
    planned = plan(engine, Action.GENERATE, ids)
    approvals.request(at(engine), ADMIN, planned, reason="ticket 7")
    return planned


def answer(engine, planned: Plan, actor: Actor = OTHER_ADMIN, *, approve: bool = True, **when):
    """Answer a request."""
    where = (planned.scope.organization_id, planned.operation_id)
    approvals.answer(at(engine, **when), actor, *where, approve=approve)


def state(engine, planned: Plan) -> ApprovalState:
    """Return the state of the request of a plan."""
    found = asked_for(engine, planned.operation_id)
    return found[0].state


def events(engine) -> list[tuple]:
    """Return action, actor, subject, users, reason and detail of the organization's events."""
    return select(
        engine,
        "SELECT action, actor, subject, users, reason, detail FROM audit_event"
        " WHERE organization_id = :organization ORDER BY number",
        organization=ORG,
    )


def take_roles(engine, actor: Actor) -> None:
    """Take away every role of a person."""
    change(engine, "DELETE FROM role_grant WHERE username = :username", username=actor.username)


class TestApproved:
    """A request is made, approved and downloaded."""

    def test_an_approved_plan_is_executed_once(self, engine, asked):
        """The requester gets the file. A second call returns no file."""
        answer(engine, asked)
        approval, kept = asked_for(engine, asked.operation_id)
        assert kept == asked
        assert (approval.requester, approval.answered_by) == ("mhale", OTHER_ADMIN.username)
        outcome = execute(at(engine, 5), ADMIN, kept, MINTING)
        assert live_matches(engine, exported(outcome)) == [1] * USERS
        again = execute(at(engine, 5), ADMIN, kept, MINTING)
        assert (again.receipt, again.csv) == (outcome.receipt, None)

    def test_each_step_writes_its_event(self, engine, asked):
        """Request with reason, approval with requester, and the export."""
        answer(engine, asked)
        execute(at(engine, 5), ADMIN, asked, MINTING)
        assert events(engine) == [
            ("ask-approval", "mhale", "", USERS, "ticket 7", ""),
            ("approve", OTHER_ADMIN.username, "mhale", USERS, "", ""),
            ("generate", "mhale", "", USERS, "", asked.csv_name),
        ]

    def test_a_second_request_of_the_same_plan_changes_nothing(self, engine, asked):
        """There is one request and one event."""
        approvals.request(at(engine, 1), ADMIN, asked, reason="again")
        assert [e[0] for e in events(engine)] == ["ask-approval"]

    def test_no_approval_is_needed_up_to_the_limit(self, engine):
        """One administrator is enough."""
        ids = build(engine, FOUR_EYES)
        planned = plan(engine, Action.GENERATE, ids)
        assert execute(at(engine), ADMIN, planned, MINTING).csv

    @pytest.mark.parametrize("action", [a for a in Action if a is not Action.GENERATE])
    def test_no_approval_is_needed_for_other_actions(self, engine, action):
        """Only the action that exports tokens needs one."""
        ids = build(engine, USERS)
        for member_id in ids:
            give(
                engine, member_id, Holding.PENDING if action is Action.CANCEL else Holding.ACCEPTED
            )
        planned = plan(engine, action, ids)
        assert execute(at(engine), ADMIN, planned, MINTING).receipt.changed == USERS


class TestRefused:
    """A refused step changes nothing but the audit trail, which records it."""

    def refused(self, engine, error, attempt) -> None:
        """Expect `error`, nothing changed, and one refusal recorded."""
        before, known = everything(engine), len(select(engine, "SELECT 1 FROM audit_event"))
        with pytest.raises(error):
            attempt()
        assert everything(engine) == before
        recorded = select(engine, "SELECT action, detail FROM audit_event ORDER BY event_id")
        assert len(recorded) == known + 1
        refusals = [detail for action, detail in recorded if action == "refusal"]
        assert refusals[-1].endswith(f": {error.code}")

    def test_execute_is_refused_while_the_request_waits(self, engine, asked):
        """Waiting is not approved."""
        self.refused(
            engine, ApprovalMissingError, lambda: execute(at(engine, 1), ADMIN, asked, MINTING)
        )

    def test_execute_is_refused_without_a_request(self, engine, asked):
        """A plan without a request has no approval."""
        other = plan(engine, Action.GENERATE, list(asked.seen))
        answer(engine, asked)
        self.refused(
            engine, ApprovalMissingError, lambda: execute(at(engine, 1), ADMIN, other, MINTING)
        )

    @pytest.mark.parametrize("approve", [True, False])
    def test_the_requester_cannot_answer(self, engine, asked, approve):
        """Neither approve nor reject."""
        self.refused(
            engine, SelfApprovalError, lambda: answer(engine, asked, ADMIN, approve=approve)
        )

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.ANALYST])
    def test_other_roles_cannot_answer(self, engine, asked, role):
        """Only API administrators approve."""
        with writing(engine) as connection:
            add_staff(connection, "someone", "Some One", Grant(role))
        self.refused(engine, NotAllowedError, lambda: answer(engine, asked, Actor("someone", "")))

    def test_an_administrator_of_another_organization_cannot_answer(self, engine, asked):
        """A role counts only where it is granted."""
        build(engine, 1, organization_id="NVTBL2")
        with writing(engine) as connection:
            add_staff(connection, ELSEWHERE.username, ELSEWHERE.name, *ELSEWHERE.grants)
        self.refused(engine, NotAllowedError, lambda: answer(engine, asked, ELSEWHERE))

    def test_a_former_administrator_cannot_answer(self, engine, asked):
        """The role was revoked, whatever the page still shows."""
        take_roles(engine, OTHER_ADMIN)
        self.refused(engine, NotAllowedError, lambda: answer(engine, asked))

    def test_an_answer_is_refused_after_an_hour(self, engine, asked):
        """The request has expired."""
        self.refused(engine, ApprovalExpiredError, lambda: answer(engine, asked, minutes=60.01))
        answer(engine, asked, minutes=60)

    def test_the_download_is_refused_an_hour_after_the_answer(self, engine, asked):
        """The requester's hour starts with the answer."""
        answer(engine, asked, minutes=59)
        late, on_time = at(engine, 59 + 60.01), at(engine, 59 + 60)
        self.refused(engine, ApprovalExpiredError, lambda: execute(late, ADMIN, asked, MINTING))
        assert execute(on_time, ADMIN, asked, MINTING).csv

    @pytest.mark.parametrize("first", [True, False])
    def test_a_second_answer_is_refused(self, engine, asked, first):
        """The first answer stays."""
        answer(engine, asked, approve=first)
        self.refused(
            engine, ApprovalAnsweredError, lambda: answer(engine, asked, approve=not first)
        )

    @pytest.mark.usefixtures("asked")
    def test_an_answer_to_an_unknown_request_is_refused(self, engine):
        """As one to an answered request."""
        self.refused(
            engine,
            ApprovalAnsweredError,
            lambda: approvals.answer(at(engine), OTHER_ADMIN, ORG, "0" * 32, approve=True),
        )

    def test_approval_is_refused_when_users_changed_after_the_request(self, engine, asked):
        """The plan is outdated."""
        act(engine, Action.REMOVE, [next(iter(asked.seen))])
        self.refused(engine, PlanOutdatedError, lambda: answer(engine, asked))
        answer(engine, asked, approve=False)

    def test_execute_is_refused_when_users_changed_after_the_approval(self, engine, asked):
        """The plan is outdated."""
        answer(engine, asked)
        act(engine, Action.REMOVE, [next(iter(asked.seen))])
        self.refused(
            engine, PlanOutdatedError, lambda: execute(at(engine, 5), ADMIN, asked, MINTING)
        )

    def test_a_rejected_plan_is_not_executed(self, engine, asked):
        """It stays rejected."""
        answer(engine, asked, approve=False)
        assert state(engine, asked) is ApprovalState.REJECTED
        self.refused(
            engine, ApprovalMissingError, lambda: execute(at(engine, 5), ADMIN, asked, MINTING)
        )

    def test_the_approver_cannot_execute_the_plan(self, engine, asked):
        """It is the requester's plan."""
        answer(engine, asked)
        self.refused(
            engine, NotAllowedError, lambda: execute(at(engine, 5), OTHER_ADMIN, asked, MINTING)
        )

    def test_a_requester_without_the_role_cannot_execute(self, engine, asked):
        """The permission is checked again at the click."""
        answer(engine, asked)
        take_roles(engine, ADMIN)
        self.refused(engine, NotAllowedError, lambda: execute(at(engine, 5), ADMIN, asked, MINTING))

    def test_a_request_for_somebody_elses_plan_is_refused(self, engine, asked):
        """Only the person who planned it can request approval."""
        other = plan(engine, Action.GENERATE, list(asked.seen), actor=OTHER_ADMIN)
        self.refused(engine, NotAllowedError, lambda: approvals.request(at(engine), ADMIN, other))


class TestFault:
    """Without an audit event nothing happens."""

    @pytest.mark.parametrize("step", ["ask", "approve", "reject", "download"])
    def test_no_step_changes_anything_when_its_event_cannot_be_written(self, engine, asked, step):
        """Each step refuses, and every row stays as it was."""
        other = plan(engine, Action.GENERATE, list(asked.seen))
        if step == "download":
            answer(engine, asked)
        break_audit(engine)
        before = everything(engine)
        steps = {
            "ask": lambda: approvals.request(at(engine), ADMIN, other),
            "approve": lambda: answer(engine, asked),
            "reject": lambda: answer(engine, asked, approve=False),
            "download": lambda: execute(at(engine, 5), ADMIN, asked, MINTING),
        }
        with pytest.raises(AuditNotWrittenError):
            steps[step]()
        assert everything(engine) == before


def test_approval_lasts_an_hour():
    """Both for the answer and for the download."""
    assert approvals.APPROVAL_LASTS == HOUR


class TestBypass:
    """One person alone cannot pass the limit."""

    def test_tokens_generated_within_the_hour_count(self, engine):
        """After an hour they do not count."""
        ids = build(engine, 4)
        for first, minutes in ((0, 0), (1, 1)):
            planned = plan(engine, Action.GENERATE, ids[first : first + 1])
            execute(at(engine, minutes), ADMIN, planned, MINTING)
        third = plan(engine, Action.GENERATE, ids[2:3])
        assert needs_approval(at(engine, 2), third)
        with pytest.raises(ApprovalMissingError):
            execute(at(engine, 2), ADMIN, third, MINTING)
        assert not needs_approval(at(engine, 2), plan(engine, Action.REQUEST, ids))
        execute(at(engine, 62), ADMIN, third, MINTING)

    def test_the_limit_counts_all_services_and_organizations(self, engine):
        """Three services in each of two organizations are six tokens."""
        services = (SERVICE, "landnotices", "plats")
        members = {
            organization_id: build(engine, 2, organization_id=organization_id, services=services)
            for organization_id in (ORG, "NVTBL2")
        }
        six = unit_of_work(engine, lambda: NOW, four_eyes=6)

        def generate(organization_id: str, service_id: str, place: int) -> bytes | None:
            where = {"organization_id": organization_id, "service_id": service_id}
            planned = plan(engine, Action.GENERATE, [members[organization_id][place]], **where)
            return execute(six, ADMIN, planned, MINTING).csv

        everywhere = [(place, service_id) for place in members for service_id in services]
        assert all(generate(*where, 0) for where in everywhere)
        before = everything(engine)
        for where in everywhere:
            with pytest.raises(ApprovalMissingError):
                generate(*where, 1)
        assert everything(engine) == before

    def test_a_waiting_plan_is_not_executed_however_small(self, engine):
        """Requested many times and never answered."""
        ids = build(engine, 2 * USERS)
        for member_id in ids:
            planned = plan(engine, Action.GENERATE, [member_id])
            approvals.request(at(engine), ADMIN, planned)
            with pytest.raises(ApprovalMissingError):
                execute(at(engine), ADMIN, planned, MINTING)
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    @pytest.mark.parametrize("limit", [0, 100])
    @pytest.mark.parametrize("answered", ["waiting", "rejected"])
    def test_a_requested_plan_is_not_executed_without_approval_whatever_the_limit(
        self, engine, asked, limit, answered
    ):
        """Even if the limit was switched off meanwhile."""
        if answered == "rejected":
            answer(engine, asked, approve=False)
        book = unit_of_work(engine, lambda: NOW, four_eyes=limit)
        before = everything(engine)
        with pytest.raises(ApprovalMissingError):
            execute(book, ADMIN, asked, MINTING)
        assert everything(engine) == before

    def test_a_requested_plan_is_executed_only_as_it_was_approved(self, engine, asked):
        """A plan with other content needs its own approval."""
        answer(engine, asked)
        other = dict(list(asked.seen.items())[:1])
        with pytest.raises(ApprovalMissingError):
            execute(
                unit_of_work(engine, lambda: NOW, four_eyes=100),
                ADMIN,
                replace(asked, seen=other),
                MINTING,
            )

    def test_tokens_still_count_when_their_plan_is_requested_after_a_cancel(self, engine):
        """After the Cancel the users look as before, so the plan can be requested again."""
        ids = build(engine, USERS)
        add_administrator(engine)
        planned = plan(engine, Action.GENERATE, ids[:2])
        execute(at(engine), ADMIN, planned, MINTING)
        with pytest.raises(PlanOutdatedError):
            approvals.request(at(engine), ADMIN, planned)
        act(engine, Action.CANCEL, ids[:2])
        approvals.request(at(engine, 2), ADMIN, planned)
        assert needs_approval(at(engine, 2), plan(engine, Action.GENERATE, ids[2:]))
        answer(engine, planned, minutes=3)
        assert needs_approval(at(engine, 4), plan(engine, Action.GENERATE, ids[2:]))

    def test_tokens_generated_by_others_do_not_count(self, engine, asked):
        """Only those of the same person."""
        answer(engine, asked)
        execute(at(engine, 1), ADMIN, asked, MINTING)
        (one,) = select(engine, "SELECT member_id FROM member ORDER BY sort_key LIMIT 1")
        assert not needs_approval(at(engine, 2), plan(engine, Action.GENERATE, list(one)))

    def test_execute_is_refused_when_the_approver_lost_the_role(self, engine, asked):
        """The approval counts no more."""
        answer(engine, asked)
        change(engine, "DELETE FROM role_grant WHERE username = :u", u=OTHER_ADMIN.username)
        before = everything(engine)
        with pytest.raises(NotAllowedError):
            execute(at(engine, 1), ADMIN, asked, MINTING)
        assert everything(engine) == before

    def test_an_approval_does_not_count_for_another_service(self, engine):
        """Users without tokens look the same in every service."""
        ids = build(engine, USERS, services=(SERVICE, "landnotices"))
        add_administrator(engine)
        planned = plan(engine, Action.GENERATE, ids)
        approvals.request(at(engine), ADMIN, planned)
        answer(engine, planned)
        elsewhere = replace(planned, scope=replace(planned.scope, service_id="landnotices"))
        with pytest.raises(ApprovalMissingError):
            execute(at(engine, 1), ADMIN, elsewhere, MINTING)


EVERYWHERE = [Grant(Role.ADMINISTRATOR)]
HERE = [Grant(Role.ADMINISTRATOR, ORG)]
APPROVER = Actor("late", "Late")


class TestApproversRole:
    """A new role does not count: nobody can appoint an approver for a request."""

    @pytest.fixture(autouse=True)
    def _people(self, engine, asked):
        """Two administrators with old roles, one the requester, and an approver without role."""
        self.engine, self.asked = engine, asked
        with writing(engine) as connection:
            add_staff(connection, APPROVER.username, APPROVER.name)

    def given(self, days: float, by: Actor | None, wanted: list[Grant], to: Actor = APPROVER):
        """Grant a role so many days before the request, by nobody for the command line."""
        book = unit_of_work(self.engine, lambda: NOW - int(days * DAY))
        if by is None:
            grants.grant_by_command(book, to.username, wanted)
        else:
            grants.grant(book, by, to.username, wanted)

    def taken(self, days: float, by: Actor, wanted: list[Grant], whose: Actor = APPROVER):
        """Revoke a role so many days before the request."""
        grants.revoke(
            unit_of_work(self.engine, lambda: NOW - int(days * DAY)), by, whose.username, wanted
        )

    def refused(self) -> None:
        """Assert that the approver can neither approve nor reject, and that the pages show so."""
        before = everything(self.engine)
        for approve in (True, False):
            with pytest.raises(ApproverTooNewError):
                answer(self.engine, self.asked, APPROVER, approve=approve, minutes=2)
        assert everything(self.engine) == before
        assert not self.seen_by(APPROVER).old_enough
        assert self.waiting_for(APPROVER) == []

    def waiting_for(self, viewer: Actor) -> list[str]:
        """Return the requests that Activity lists for this person to answer."""
        waiting, _ = activity.open_approvals(self.engine, lambda: NOW, viewer)
        return [approval.operation_id for approval in waiting]

    def seen_by(self, viewer: Actor) -> ApproverRole | None:
        """Return the approver's role as the page of the request shows it."""
        where = (ORG, self.asked.operation_id)
        return activity.open_operation(self.engine, lambda: NOW, viewer, *where).approver

    @pytest.mark.parametrize("wanted", [EVERYWHERE, HERE])
    @pytest.mark.parametrize(
        ("days", "by"),
        [(-1 / 24, ADMIN), (-1 / 24, None), (0.99, OTHER_ADMIN), (2, ADMIN), (6.99, ADMIN)],
    )
    def test_a_new_role_is_refused(self, days, by, wanted):
        """It is younger than a day (a week from the requester), or than the request."""
        self.given(days, by, wanted)
        self.refused()

    @pytest.mark.parametrize("wanted", [EVERYWHERE, HERE])
    @pytest.mark.parametrize(("days", "by"), [(0, None), (1, OTHER_ADMIN), (7, ADMIN)])
    def test_a_role_that_is_old_enough_approves(self, days, by, wanted):
        """The page shows who granted it and when, before and after the answer."""
        self.given(days, by, wanted)
        role = ApproverRole(by.username if by else "", NOW - days * DAY, old_enough=True)
        assert self.seen_by(APPROVER) == role
        assert self.seen_by(ADMIN) is None
        assert self.waiting_for(APPROVER) == [self.asked.operation_id]
        answer(self.engine, self.asked, APPROVER)
        take_roles(self.engine, APPROVER)
        assert [self.seen_by(who) for who in (ADMIN, OTHER_ADMIN)] == [role, role]
        assert carry_out_refused(self.engine, self.asked) is NotAllowedError

    def test_a_role_revoked_and_granted_again_counts_from_the_last_grant(self):
        """Granted again by the requester: a week from then."""
        self.given(30, OTHER_ADMIN, EVERYWHERE)
        self.taken(3, ADMIN, EVERYWHERE)
        self.given(3, ADMIN, EVERYWHERE)
        self.refused()

    def test_a_role_granted_twice_keeps_its_age(self):
        """Granting an existing role changes nothing."""
        self.given(30, OTHER_ADMIN, EVERYWHERE)
        self.given(3, ADMIN, EVERYWHERE)
        answer(self.engine, self.asked, APPROVER)

    def test_one_old_grant_is_enough_beside_a_new_one(self):
        """A second grant by the requester does no harm."""
        self.given(30, OTHER_ADMIN, HERE)
        self.given(3, ADMIN, EVERYWHERE)
        answer(self.engine, self.asked, APPROVER)
        assert self.seen_by(ADMIN) == ApproverRole(
            OTHER_ADMIN.username, NOW - 30 * DAY, old_enough=True
        )

    def test_an_old_role_elsewhere_does_not_count(self):
        """Nor does an old role that cannot approve."""
        build(self.engine, 1, organization_id="NVTBL2")
        self.given(30, OTHER_ADMIN, [Grant(Role.ADMINISTRATOR, "NVTBL2")])
        self.given(30, OTHER_ADMIN, [Grant(Role.SUPPORT)])
        self.given(3, ADMIN, HERE)
        self.refused()

    def test_a_grant_by_an_administrator_whom_the_requester_appointed_counts_as_the_requesters(
        self,
    ):
        """Also after that administrator's role was revoked."""
        between = add_person(self.engine, "between")
        self.given(3, ADMIN, EVERYWHERE, to=between)
        self.given(2, between, EVERYWHERE)
        self.taken(2, ADMIN, EVERYWHERE, whose=between)
        self.refused()

    def test_a_grant_to_oneself_counts_from_the_grant_before(self):
        """An administrator appointed by the requester adds a grant for themselves."""
        self.given(3, ADMIN, EVERYWHERE)
        self.given(2, APPROVER, HERE)
        self.taken(2, APPROVER, EVERYWHERE)
        self.refused()

    def test_a_grant_by_an_administrator_whom_the_requester_appointed_long_ago_counts_as_theirs(
        self,
    ):
        """After a week they count as anybody."""
        between = add_person(self.engine, "between")
        self.given(7, ADMIN, EVERYWHERE, to=between)
        self.given(2, between, EVERYWHERE)
        answer(self.engine, self.asked, APPROVER)

    def test_administrators_from_the_setting_can_approve(self):
        """TOKEN_DESK_ADMINS appoints them; nobody granted their role."""
        change(self.engine, "DELETE FROM role_grant")
        names = [ADMIN.username, APPROVER.username]
        grants.appoint_first(unit_of_work(self.engine, lambda: NOW), names)
        answer(self.engine, self.asked, APPROVER)


def add_person(engine, username: str) -> Actor:
    """Add a staff account without a role."""
    with writing(engine) as connection:
        add_staff(connection, username, username)
    return Actor(username, username)


def carry_out_refused(engine, planned: Plan) -> type[Exception]:
    """Return the code of the error with which an approved plan is refused."""
    with pytest.raises(DeskError) as caught:
        execute(at(engine, 1), ADMIN, planned, MINTING)
    return caught.type
