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
    """What use cases are given so many minutes after the tests' moment."""
    return unit_of_work(engine, lambda: NOW + int(minutes * MINUTE), four_eyes=FOUR_EYES)


@pytest.fixture
def asked(engine) -> Plan:
    """A plan for more users than one administrator may generate for; its approval is asked."""
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
    """Return what became of a request."""
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


class TestTheWay:
    """Asked, approved, downloaded."""

    def test_what_is_approved_is_carried_out_once(self, engine, asked):
        """The requester mints just the plan that was kept, and a second call gives no file."""
        answer(engine, asked)
        approval, kept = asked_for(engine, asked.operation_id)
        assert kept == asked
        assert (approval.requester, approval.answered_by) == ("mhale", OTHER_ADMIN.username)
        outcome = execute(at(engine, 5), ADMIN, kept, MINTING)
        assert live_matches(engine, exported(outcome)) == [1] * USERS
        again = execute(at(engine, 5), ADMIN, kept, MINTING)
        assert (again.receipt, again.csv) == (outcome.receipt, None)

    def test_each_step_leaves_its_event(self, engine, asked):
        """Who asked and why, who approved whose, and what was generated."""
        answer(engine, asked)
        execute(at(engine, 5), ADMIN, asked, MINTING)
        assert events(engine) == [
            ("ask-approval", "mhale", "", USERS, "ticket 7", ""),
            ("approve", OTHER_ADMIN.username, "mhale", USERS, "", ""),
            ("generate", "mhale", "", USERS, "", asked.csv_name),
        ]

    def test_asking_twice_asks_once(self, engine, asked):
        """One request, one event."""
        approvals.request(at(engine, 1), ADMIN, asked, reason="again")
        assert [e[0] for e in events(engine)] == ["ask-approval"]

    def test_few_users_need_nobody_else(self, engine):
        """Up to the set number one administrator is enough."""
        ids = build(engine, FOUR_EYES)
        planned = plan(engine, Action.GENERATE, ids)
        assert execute(at(engine), ADMIN, planned, MINTING).csv

    @pytest.mark.parametrize("action", [a for a in Action if a is not Action.GENERATE])
    def test_other_actions_need_nobody_else(self, engine, action):
        """Only what exports tokens does."""
        ids = build(engine, USERS)
        for member_id in ids:
            give(
                engine, member_id, Holding.PENDING if action is Action.CANCEL else Holding.ACCEPTED
            )
        planned = plan(engine, action, ids)
        assert execute(at(engine), ADMIN, planned, MINTING).receipt.changed == USERS


class TestRefused:
    """Whatever is refused changes nothing but the audit trail, which says so."""

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

    def test_without_an_approval(self, engine, asked):
        """Waiting is not approved."""
        self.refused(
            engine, ApprovalMissingError, lambda: execute(at(engine, 1), ADMIN, asked, MINTING)
        )

    def test_without_having_asked(self, engine, asked):
        """A plan that was never asked about has no approval."""
        other = plan(engine, Action.GENERATE, list(asked.seen))
        answer(engine, asked)
        self.refused(
            engine, ApprovalMissingError, lambda: execute(at(engine, 1), ADMIN, other, MINTING)
        )

    @pytest.mark.parametrize("approve", [True, False])
    def test_ones_own(self, engine, asked, approve):
        """The same person cannot be both."""
        self.refused(
            engine, SelfApprovalError, lambda: answer(engine, asked, ADMIN, approve=approve)
        )

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.ANALYST])
    def test_by_another_role(self, engine, asked, role):
        """Only API administrators approve."""
        with writing(engine) as connection:
            add_staff(connection, "someone", "Some One", Grant(role))
        self.refused(engine, NotAllowedError, lambda: answer(engine, asked, Actor("someone", "")))

    def test_by_an_administrator_of_another_organization(self, engine, asked):
        """A role counts where it is granted."""
        build(engine, 1, organization_id="NVTBL2")
        with writing(engine) as connection:
            add_staff(connection, ELSEWHERE.username, ELSEWHERE.name, *ELSEWHERE.grants)
        self.refused(engine, NotAllowedError, lambda: answer(engine, asked, ELSEWHERE))

    def test_by_whom_the_role_was_taken_from(self, engine, asked):
        """A role that is gone does not count, whatever the page still shows."""
        take_roles(engine, OTHER_ADMIN)
        self.refused(engine, NotAllowedError, lambda: answer(engine, asked))

    def test_after_the_hour(self, engine, asked):
        """An hour and no longer."""
        self.refused(engine, ApprovalExpiredError, lambda: answer(engine, asked, minutes=60.01))
        answer(engine, asked, minutes=60)

    def test_the_download_after_the_hour(self, engine, asked):
        """The requester's hour begins with the answer."""
        answer(engine, asked, minutes=59)
        late, on_time = at(engine, 59 + 60.01), at(engine, 59 + 60)
        self.refused(engine, ApprovalExpiredError, lambda: execute(late, ADMIN, asked, MINTING))
        assert execute(on_time, ADMIN, asked, MINTING).csv

    @pytest.mark.parametrize("first", [True, False])
    def test_twice(self, engine, asked, first):
        """The first answer stays."""
        answer(engine, asked, approve=first)
        self.refused(
            engine, ApprovalAnsweredError, lambda: answer(engine, asked, approve=not first)
        )

    @pytest.mark.usefixtures("asked")
    def test_what_was_never_asked(self, engine):
        """An id of nothing is answered like an answered one."""
        self.refused(
            engine,
            ApprovalAnsweredError,
            lambda: approvals.answer(at(engine), OTHER_ADMIN, ORG, "0" * 32, approve=True),
        )

    def test_a_changed_plan_is_not_approved(self, engine, asked):
        """What would be done is no longer what was asked."""
        act(engine, Action.REMOVE, [next(iter(asked.seen))])
        self.refused(engine, PlanOutdatedError, lambda: answer(engine, asked))
        answer(engine, asked, approve=False)

    def test_an_approved_plan_that_changed_is_not_carried_out(self, engine, asked):
        """Changes between the answer and the click."""
        answer(engine, asked)
        act(engine, Action.REMOVE, [next(iter(asked.seen))])
        self.refused(
            engine, PlanOutdatedError, lambda: execute(at(engine, 5), ADMIN, asked, MINTING)
        )

    def test_a_rejected_plan(self, engine, asked):
        """No is no."""
        answer(engine, asked, approve=False)
        assert state(engine, asked) is ApprovalState.REJECTED
        self.refused(
            engine, ApprovalMissingError, lambda: execute(at(engine, 5), ADMIN, asked, MINTING)
        )

    def test_the_approver_cannot_download(self, engine, asked):
        """It is the requester's plan."""
        answer(engine, asked)
        self.refused(
            engine, NotAllowedError, lambda: execute(at(engine, 5), OTHER_ADMIN, asked, MINTING)
        )

    def test_the_requester_whose_role_is_gone_cannot_download(self, engine, asked):
        """Asked again at the click."""
        answer(engine, asked)
        take_roles(engine, ADMIN)
        self.refused(engine, NotAllowedError, lambda: execute(at(engine, 5), ADMIN, asked, MINTING))

    def test_asking_for_somebody_elses_plan(self, engine, asked):
        """Whoever planned it asks."""
        other = plan(engine, Action.GENERATE, list(asked.seen), actor=OTHER_ADMIN)
        self.refused(engine, NotAllowedError, lambda: approvals.request(at(engine), ADMIN, other))


class TestFault:
    """No event, no effect."""

    @pytest.mark.parametrize("step", ["ask", "approve", "reject", "download"])
    def test_nothing_happens_when_it_cannot_be_recorded(self, engine, asked, step):
        """Each step of the way refuses, and everything stays as it was."""
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


def test_the_hour_is_an_hour():
    """As the issue has it."""
    assert approvals.APPROVAL_LASTS == HOUR


class TestWaysAround:
    """One person alone does not get past it."""

    def test_small_steps_add_up(self, engine):
        """What was generated here within the hour counts; an hour later it does not."""
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
        """One token for each of three services in each of two organizations is six tokens."""
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

    def test_what_waits_for_approval_is_not_carried_out(self, engine):
        """Asked over and over, and never answered: no plan is small enough for that."""
        ids = build(engine, 2 * USERS)
        for member_id in ids:
            planned = plan(engine, Action.GENERATE, [member_id])
            approvals.request(at(engine), ADMIN, planned)
            with pytest.raises(ApprovalMissingError):
                execute(at(engine), ADMIN, planned, MINTING)
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    @pytest.mark.parametrize("limit", [0, 100])
    @pytest.mark.parametrize("answered", ["waiting", "rejected"])
    def test_a_small_plan_is_not_carried_out_unless_it_is_approved(
        self, engine, asked, limit, answered
    ):
        """Whatever the limit is by now, even none."""
        if answered == "rejected":
            answer(engine, asked, approve=False)
        book = unit_of_work(engine, lambda: NOW, four_eyes=limit)
        before = everything(engine)
        with pytest.raises(ApprovalMissingError):
            execute(book, ADMIN, asked, MINTING)
        assert everything(engine) == before

    def test_a_small_plan_is_carried_out_only_as_it_was_approved(self, engine, asked):
        """An approved plan does not count later: it is held to every word of its approval."""
        answer(engine, asked)
        other = dict(list(asked.seen.items())[:1])
        with pytest.raises(ApprovalMissingError):
            execute(
                unit_of_work(engine, lambda: NOW, four_eyes=100),
                ADMIN,
                replace(asked, seen=other),
                MINTING,
            )

    def test_what_was_asked_after_it_was_done_counts(self, engine):
        """Cancelled, it looks as it did before; an approval of then approves nothing."""
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

    def test_what_another_approved_does_not_count(self, engine, asked):
        """Nor what somebody else generated."""
        answer(engine, asked)
        execute(at(engine, 1), ADMIN, asked, MINTING)
        (one,) = select(engine, "SELECT member_id FROM member ORDER BY sort_key LIMIT 1")
        assert not needs_approval(at(engine, 2), plan(engine, Action.GENERATE, list(one)))

    def test_whoever_approved_must_still_be_one_who_may(self, engine, asked):
        """Their role taken away, the approval is worth nothing."""
        answer(engine, asked)
        change(engine, "DELETE FROM role_grant WHERE username = :u", u=OTHER_ADMIN.username)
        before = everything(engine)
        with pytest.raises(NotAllowedError):
            execute(at(engine, 1), ADMIN, asked, MINTING)
        assert everything(engine) == before

    def test_an_approval_is_for_one_service(self, engine):
        """Users who have nothing look alike in every service."""
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
    """Nobody is made an approver for one request: the role is older, by who granted it."""

    @pytest.fixture(autouse=True)
    def _people(self, engine, asked):
        """Two administrators of long ago; the requester is one of them, the approver is none."""
        self.engine, self.asked = engine, asked
        with writing(engine) as connection:
            add_staff(connection, APPROVER.username, APPROVER.name)

    def given(self, days: float, by: Actor | None, wanted: list[Grant], to: Actor = APPROVER):
        """Grant a role so many days before the request; nobody stands for the command line."""
        book = unit_of_work(self.engine, lambda: NOW - int(days * DAY))
        if by is None:
            grants.grant_by_command(book, to.username, wanted)
        else:
            grants.grant(book, by, to.username, wanted)

    def taken(self, days: float, by: Actor, wanted: list[Grant], whose: Actor = APPROVER):
        """Take a role away so many days before the request."""
        grants.revoke(
            unit_of_work(self.engine, lambda: NOW - int(days * DAY)), by, whose.username, wanted
        )

    def refused(self) -> None:
        """Expect that the approver can neither approve nor reject, and sees so."""
        before = everything(self.engine)
        for approve in (True, False):
            with pytest.raises(ApproverTooNewError):
                answer(self.engine, self.asked, APPROVER, approve=approve, minutes=2)
        assert everything(self.engine) == before
        assert not self.seen_by(APPROVER).counts
        assert self.waiting_for(APPROVER) == []

    def waiting_for(self, viewer: Actor) -> list[str]:
        """Return the requests that Activity lists as waiting for this person's answer."""
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
        """From anybody for a day, from the requester for a week; after the request in any case."""
        self.given(days, by, wanted)
        self.refused()

    @pytest.mark.parametrize("wanted", [EVERYWHERE, HERE])
    @pytest.mark.parametrize(("days", "by"), [(0, None), (1, OTHER_ADMIN), (7, ADMIN)])
    def test_a_role_that_is_old_enough_approves(self, days, by, wanted):
        """The page shows who granted it, and when, before the answer and after it."""
        self.given(days, by, wanted)
        role = ApproverRole(by.username if by else "", NOW - days * DAY, counts=True)
        assert self.seen_by(APPROVER) == role
        assert self.seen_by(ADMIN) is None
        assert self.waiting_for(APPROVER) == [self.asked.operation_id]
        answer(self.engine, self.asked, APPROVER)
        take_roles(self.engine, APPROVER)
        assert [self.seen_by(who) for who in (ADMIN, OTHER_ADMIN)] == [role, role]
        assert carry_out_refused(self.engine, self.asked) is NotAllowedError

    def test_a_role_granted_anew_is_as_new_as_the_last_grant(self):
        """Taken away and granted again by the requester: a week from then."""
        self.given(30, OTHER_ADMIN, EVERYWHERE)
        self.taken(3, ADMIN, EVERYWHERE)
        self.given(3, ADMIN, EVERYWHERE)
        self.refused()

    def test_a_role_granted_twice_keeps_its_age(self):
        """To grant what somebody has changes nothing."""
        self.given(30, OTHER_ADMIN, EVERYWHERE)
        self.given(3, ADMIN, EVERYWHERE)
        answer(self.engine, self.asked, APPROVER)

    def test_one_good_grant_is_enough(self):
        """A second one from the requester takes nothing away."""
        self.given(30, OTHER_ADMIN, HERE)
        self.given(3, ADMIN, EVERYWHERE)
        answer(self.engine, self.asked, APPROVER)
        assert self.seen_by(ADMIN) == ApproverRole(
            OTHER_ADMIN.username, NOW - 30 * DAY, counts=True
        )

    def test_a_good_grant_elsewhere_does_not_help(self):
        """Nor does an old role that is no approver's."""
        build(self.engine, 1, organization_id="NVTBL2")
        self.given(30, OTHER_ADMIN, [Grant(Role.ADMINISTRATOR, "NVTBL2")])
        self.given(30, OTHER_ADMIN, [Grant(Role.SUPPORT)])
        self.given(3, ADMIN, HERE)
        self.refused()

    def test_whom_the_requester_made_an_administrator_grants_for_the_requester(self):
        """Through an account between, also when its role was taken away again."""
        between = add_person(self.engine, "between")
        self.given(3, ADMIN, EVERYWHERE, to=between)
        self.given(2, between, EVERYWHERE)
        self.taken(2, ADMIN, EVERYWHERE, whose=between)
        self.refused()

    def test_a_role_from_oneself_is_as_new_as_the_one_before(self):
        """An administrator by the requester's grant adds one of their own."""
        self.given(3, ADMIN, EVERYWHERE)
        self.given(2, APPROVER, HERE)
        self.taken(2, APPROVER, EVERYWHERE)
        self.refused()

    def test_whom_the_requester_gave_a_role_long_ago_grants_for_themselves(self):
        """A week later they count as anybody."""
        between = add_person(self.engine, "between")
        self.given(7, ADMIN, EVERYWHERE, to=between)
        self.given(2, between, EVERYWHERE)
        answer(self.engine, self.asked, APPROVER)

    def test_the_first_administrators_of_the_setting_approve(self):
        """TOKEN_DESK_ADMINS names whom nobody granted anything."""
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
    """Return why an approved plan is not carried out."""
    with pytest.raises(DeskError) as caught:
        execute(at(engine, 1), ADMIN, planned, MINTING)
    return caught.type
