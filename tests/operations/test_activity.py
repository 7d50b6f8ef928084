"""Reads for the Activity pages, each limited to the organizations of the actor."""

import pytest

from lib.domain.access import Actor
from lib.domain.activity import ActivityFilter, Group, Progress
from lib.domain.audit import Event, EventAction
from lib.domain.clock import HOUR, MINUTE
from lib.domain.errors import NotAllowedError
from lib.domain.roles import PERMISSIONS, Grant, Permission, Role
from lib.domain.states import Action, Holding
from lib.operations import activity, approvals, users
from lib.operations.activity import Page
from lib.operations.off_boarding import off_board, plan_off_boarding
from lib.store.engine import writing
from tests.support.actions import (
    LATER,
    OTHER_ADMIN,
    act,
    add_administrator,
    change,
    give,
    later,
    plan,
    select,
)
from tests.support.activity import add_events, shuffled
from tests.support.database_facts import NOW
from tests.support.directory import (
    ADMIN,
    MINTING,
    ORG,
    SERVICE,
    add_staff,
    build,
    clock,
    unit_of_work,
)

OTHER = "NVTBL2"
NOBODY = Actor("utcjf1-u0", "User 0")


def someone(engine, *granted: Grant) -> Actor:
    """Add a person with these roles."""
    with writing(engine) as connection:
        add_staff(connection, "someone", "Some One", *granted)
    return Actor("someone", "Some One", frozenset(granted))


def listed(engine, actor: Actor = ADMIN, limit: int = 100, before: str = "", **wanted) -> Page:
    """Return a page of the list."""
    return activity.list_events(engine, actor, ActivityFilter(**wanted), before=before, limit=limit)


class TestList:
    """The event list, newest first."""

    def test_an_operation_is_listed_with_its_place_and_counts(self, engine):
        """Actor, action, place, number of users and number of skipped users."""
        ids = build(engine, 3)
        give(engine, ids[0], Holding.ACCEPTED)
        planned, _ = act(engine, Action.REMOVE, ids)
        (row,), older = listed(engine)
        assert not older
        assert (row.action, row.actor, row.actor_name) == (
            Action.REMOVE,
            "mhale",
            "Morgan Hale",
        )
        assert (row.organization_name, row.service_name) == (f"Organization {ORG}", "Erecording")
        assert (row.users, row.skipped, row.operation_id) == (1, 2, planned.operation_id)
        assert activity.progress(row, LATER) is Progress.DONE

    def test_pages_of_the_list_follow_each_other_without_gaps(self, engine):
        """A page starts after the last event of the page before. The last has no older events."""
        build(engine, 1)
        events = [Event(Action.REMOVE, "mhale", "", ORG, users=n) for n in range(7)]
        add_events(engine, [(NOW + n, event) for n, event in enumerate(events)])
        first = listed(engine, limit=5)
        rest = listed(engine, limit=5, before=first.rows[-1].event_id)
        assert [row.users for row in (*first.rows, *rest.rows)] == [6, 5, 4, 3, 2, 1, 0]
        assert (first.older, rest.older) == (True, False)

    @pytest.mark.parametrize("place", [None, ORG, OTHER])
    @pytest.mark.parametrize("role", Role)
    def test_the_list_is_limited_to_the_actors_organizations(self, engine, role, place):
        """A role in one organization shows its chain. A role in all shows the global chain too."""
        for organization_id in (ORG, OTHER):
            build(engine, 1, organization_id=organization_id)
        who = someone(engine, Grant(role, place))
        chains = ("", ORG, OTHER)
        add_events(
            engine, [(NOW, Event(EventAction.REFUSAL, "mhale", "", chain)) for chain in chains]
        )
        found = {row.organization_id for row in listed(engine, who, kind=Group.EVERYTHING).rows}
        assert Permission.ACTIVITY in PERMISSIONS[role]
        assert found == ({*chains} if place is None else {place})
        foreign = listed(engine, who, kind=Group.EVERYTHING, organization_id=OTHER).rows
        assert bool(foreign) == (place in {None, OTHER})

    def test_every_read_is_refused_without_a_role(self, engine):
        """All reads of the module."""
        build(engine, 1)
        planned, _ = act(
            engine, Action.REQUEST, [select(engine, "SELECT member_id FROM member")[0][0]]
        )
        reads = (
            lambda: listed(engine, NOBODY),
            lambda: list(activity.export_events(engine, NOBODY, ActivityFilter())),
            lambda: users.find_people(engine, NOBODY, "mhale", 9),
            lambda: activity.open_approvals(engine, clock, NOBODY),
            lambda: activity.open_operation(engine, clock, NOBODY, ORG, planned.operation_id),
            lambda: users.open_person(engine, clock, NOBODY, NOBODY.username),
            lambda: users.list_ended_tokens(engine, clock, NOBODY, "mhale", limit=9),
        )
        for read in reads:
            with pytest.raises(NotAllowedError):
                read()

    def test_export_is_limited_to_organizations_with_the_export_permission(self, engine):
        """An analyst's file has their organization. Support has none."""
        for organization_id in (ORG, OTHER):
            build(engine, 1, organization_id=organization_id)
        events = [Event(Action.REMOVE, "mhale", "", place) for place in (ORG, OTHER)]
        add_events(engine, shuffled(50, 1, events))
        who = someone(engine, Grant(Role.ANALYST, ORG), Grant(Role.SUPPORT, OTHER))
        rows = list(activity.export_events(engine, who, ActivityFilter()))
        assert {row.organization_id for row in rows} == {ORG}
        assert len(rows) == len(listed(engine, who, organization_id=ORG).rows)

    def test_export_stops_at_its_limit(self, engine, monkeypatch):
        """It has the newest events, in as many reads as needed."""
        monkeypatch.setattr(activity, "LONGEST_EXPORT", 25)
        monkeypatch.setattr(activity, "_CHUNK", 10)
        build(engine, 1)
        add_events(engine, shuffled(60, 1, [Event(Action.REMOVE, "mhale", "", ORG)]))
        rows = list(activity.export_events(engine, ADMIN, ActivityFilter()))
        assert [r.event_id for r in rows] == [r.event_id for r in listed(engine, limit=25).rows]


class TestOperation:
    """The page of one operation."""

    def test_results_are_paged_in_table_order_and_searched(self, engine):
        """Each user comes once, by either way of reading."""
        ids = build(engine, 30)
        planned, _ = act(engine, Action.REQUEST, ids)
        done = activity.open_operation(engine, clock, ADMIN, ORG, planned.operation_id).done
        for many in (done, done._replace(changed=1_000_000)):  # by results, and by members
            first, more = activity.list_results(engine, ADMIN, many, "", ("", ""), 20)
            behind = (first[-1].sort_key, first[-1].member_id)
            rest, no_more = activity.list_results(engine, ADMIN, many, "", behind, 20)
            assert [r.member_id for r in (*first, *rest)] == ids
            assert (more, no_more) == (True, False)
            found, _ = activity.list_results(engine, ADMIN, many, "U7@", ("", ""), 20)
            assert [r.username for r in found] == ["utcjf1-u7"]

    @pytest.mark.parametrize(
        ("organization_id", "operation_id"), [(ORG, "0" * 32), ("NOSUCH", ""), ("", "")]
    )
    def test_an_unknown_operation_is_none(self, engine, organization_id, operation_id):
        """The id or the organization does not exist."""
        build(engine, 1)
        found = activity.open_operation(engine, clock, ADMIN, organization_id, operation_id)
        assert found is None

    def test_an_operation_of_another_organization_is_refused(self, engine):
        """Whether it exists or not."""
        ids = build(engine, 1)
        build(engine, 1, organization_id=OTHER)
        planned, _ = act(engine, Action.REQUEST, ids)
        who = someone(engine, Grant(Role.ADMINISTRATOR, OTHER))
        done = activity.open_operation(engine, clock, ADMIN, ORG, planned.operation_id).done
        for operation_id in (planned.operation_id, "0" * 32):
            with pytest.raises(NotAllowedError):
                activity.open_operation(engine, clock, who, ORG, operation_id)
        with pytest.raises(NotAllowedError):
            activity.list_results(engine, who, done, "", ("", ""), 9)

    @pytest.mark.parametrize("answer", [None, True, False])
    @pytest.mark.parametrize("minutes", [30, 90, 150])
    def test_progress_of_an_approval_depends_on_answer_and_time(self, engine, answer, minutes):
        """Waiting or approved within the hour, lapsed after it. Rejected stays rejected."""
        ids = build(engine, 3)
        add_administrator(engine)
        planned = plan(engine, Action.GENERATE, ids)
        approvals.request(unit_of_work(engine, four_eyes=1), ADMIN, planned)
        if answer is not None:
            at = unit_of_work(engine, lambda: NOW + 20 * MINUTE, four_eyes=1)
            approvals.answer(at, OTHER_ADMIN, ORG, planned.operation_id, approve=answer)
        now = NOW + minutes * MINUTE
        view = activity.open_operation(engine, lambda: now, ADMIN, ORG, planned.operation_id)
        last = 20 * MINUTE if answer is not None else 0
        in_time = minutes * MINUTE - last <= HOUR
        expected = {
            None: Progress.WAITING if in_time else Progress.LAPSED,
            True: Progress.APPROVED if in_time else Progress.LAPSED,
            False: Progress.REJECTED,
        }[answer]
        assert view.progress is expected
        assert (view.plan == planned) == (expected in {Progress.WAITING, Progress.APPROVED})
        (row,) = listed(engine).rows
        assert activity.progress(row, now) is expected
        waiting, own = activity.open_approvals(engine, lambda: now, OTHER_ADMIN)
        assert (len(waiting), own) == (int(expected is Progress.WAITING), [])
        waiting, own = activity.open_approvals(engine, lambda: now, ADMIN)
        assert (waiting, bool(own)) == ([], view.plan is not None)

    def test_a_batch_shows_only_operations_of_the_actors_organizations(self, engine):
        """Support in one organization sees only its operations."""
        (own,) = build(engine, 1, services=(SERVICE, "plats"))
        build(engine, 1, organization_id=OTHER)
        username = "utcjf1-u0"
        change(
            engine,
            "INSERT INTO member (organization_id, member_id, username, status, name, email,"
            " sort_key, search_key) VALUES ('NVTBL2', 'm', :username, 'active', '', '', '', '')",
            username=username,
        )
        give(engine, own, Holding.BOTH)
        give(engine, "m", Holding.ACCEPTED, organization_id=OTHER)
        found = plan_off_boarding(unit_of_work(engine), ADMIN, username)
        receipts = off_board(unit_of_work(engine, later), ADMIN, found)
        who = someone(engine, Grant(Role.SUPPORT, ORG))
        counts = {
            actor.username: len(
                activity.open_operation(engine, later, actor, ORG, receipts[-1].operation_id).batch
            )
            for actor in (ADMIN, who)
        }
        assert counts == {"mhale": 2, "someone": 1}


def test_nothing_that_is_read_holds_a_digest(engine):
    """Neither the rows of a person nor those of an operation have one."""
    (member,) = build(engine, 1)
    give(engine, member, Holding.BOTH)
    planned, _ = act(engine, Action.GENERATE, [member])
    digests = [row[0].hex() for row in select(engine, "SELECT digest FROM token")]
    assert len(digests) == 3
    seen = repr(
        (
            users.open_person(engine, later, ADMIN, "utcjf1-u0"),
            users.list_ended_tokens(engine, later, ADMIN, "utcjf1-u0", limit=9),
            activity.open_operation(engine, later, ADMIN, ORG, planned.operation_id),
            list(activity.export_events(engine, ADMIN, ActivityFilter(Group.EVERYTHING))),
        )
    )
    assert not [digest for digest in digests if digest in seen]
    assert MINTING.prefix + "_" in seen  # the hint of a token is shown
