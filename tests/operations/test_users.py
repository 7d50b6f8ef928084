"""Reads of people for the Users page, each limited to the organizations of the actor."""

from itertools import product

import pytest

from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, Holding, TokenState
from lib.operations import own_tokens, users
from lib.store.engine import writing
from tests.support.actions import act, change, give, later, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, ORG, add_staff, build, clock, unit_of_work

OTHER = "NVTBL2"


def someone(engine, *granted: Grant) -> Actor:
    """Add a person with these roles."""
    with writing(engine) as connection:
        add_staff(connection, "someone", "Some One", *granted)
    return Actor("someone", "Some One", frozenset(granted))


class TestPeople:
    """Search for people."""

    def test_an_exact_username_finds_one_person(self, engine):
        """Even if it is part of another username."""
        build(engine, 12)
        assert [p.username for p in users.find_people(engine, ADMIN, "utcjf1-u1", 20)] == [
            "utcjf1-u1"
        ]

    def test_part_of_a_name_finds_staff_first_then_members(self, engine):
        """At most as many as the limit."""
        build(engine, 12)
        found = users.find_people(engine, ADMIN, "USER 00", 5)
        assert len(found) == 5
        assert [p.username for p in users.find_people(engine, ADMIN, "morgan", 5)] == ["mhale"]
        assert users.find_people(engine, ADMIN, "%", 5) == []

    @pytest.mark.parametrize("search", ["nvtbl2-u0", "User 0", "nvtbl2"])
    def test_people_of_other_organizations_are_not_found(self, engine, search):
        """Neither by username nor by name."""
        build(engine, 1)
        build(engine, 1, organization_id=OTHER)
        who = someone(engine, Grant(Role.SUPPORT, ORG))
        found = {p.username for p in users.find_people(engine, who, search, 9)}
        assert "nvtbl2-u0" not in found


class TestPerson:
    """User 360."""

    def test_a_person_has_live_tokens_and_a_history_of_ended_ones(self, engine):
        """The history has how each token began and ended, by whom and by which operation."""
        (member,) = build(engine, 1)
        person = Actor("utcjf1-u0", "User 000000")
        asked, _ = act(engine, Action.REQUEST, [member])
        (pending,) = own_tokens.list_own(engine, later, person)
        own_tokens.decline(unit_of_work(engine, later), person, pending)
        act(engine, Action.GENERATE, [member])
        give(engine, member, Holding.ACCEPTED, expires_at=NOW)
        removed, _ = act(engine, Action.CANCEL, [member])
        view = users.open_person(engine, later, ADMIN, person.username)
        rows, older = users.list_ended_tokens(engine, later, ADMIN, person.username, limit=9)
        stories = {(r.state, r.made_by, r.ended_by, r.ended_by_operation) for r in rows}
        assert view.live == []
        assert not older
        assert stories == {
            (TokenState.EXPIRED, "", "", ""),
            (TokenState.DECLINED, "mhale", "", ""),
            (TokenState.CANCELLED, "mhale", "mhale", removed.operation_id),
        }
        assert asked.operation_id in {r.made_by_operation for r in rows}
        assert {r.organization_id for r in rows} == {ORG}

    def test_ended_tokens_are_paged_last_ended_first(self, engine):
        """Each comes once."""
        (member,) = build(engine, 1)
        for day in range(7):
            give(
                engine,
                member,
                Holding.PENDING,
                state="cancelled",
                ended_at=NOW - day // 2 * DAY,
                ended_from="pending",
            )
        first, more = users.list_ended_tokens(engine, later, ADMIN, "utcjf1-u0", limit=5)
        rest, no_more = users.list_ended_tokens(
            engine,
            later,
            ADMIN,
            "utcjf1-u0",
            before=(first[-1].ended_at, first[-1].token_id),
            limit=5,
        )
        assert (len(first), more, len(rest), no_more) == (5, True, 2, False)
        assert len({row.token_id for row in (*first, *rest)}) == 7
        ended = [row.ended_at for row in (*first, *rest)]
        assert ended == sorted(ended, reverse=True)

    @pytest.mark.parametrize(("role", "place"), list(product(Role, (None, ORG, OTHER))), ids=str)
    def test_a_person_is_limited_to_the_actors_organizations(self, engine, role, place):
        """Organizations, tokens and history. Grants need the access permission."""
        build(engine, 1)
        build(engine, 1, organization_id=OTHER)
        username = "utcjf1-u0"
        change(
            engine,
            "INSERT INTO member (organization_id, member_id, username, status, name, email,"
            " sort_key, search_key) VALUES ('NVTBL2', 'm', :username, 'active', '', '', '', '')",
            username=username,
        )
        members = dict(
            select(
                engine, "SELECT organization_id, member_id FROM member WHERE username = 'utcjf1-u0'"
            )
        )
        for organization_id, member_id in members.items():
            give(engine, member_id, Holding.BOTH, organization_id=organization_id)
            act(engine, Action.CANCEL, [member_id], organization_id=organization_id)
        who = someone(engine, Grant(role, place))
        view = users.open_person(engine, later, who, username)
        ended, _ = users.list_ended_tokens(engine, later, who, username, limit=9)
        reach = {ORG, OTHER} if place is None else {place}
        assert {m.organization_id for m in view.memberships} == reach
        assert {t.organization_id for t in view.live} == reach
        assert {t.organization_id for t in ended} == reach
        assert view.everywhere == (place is None)
        assert (view.grants is None) == (role is not Role.ADMINISTRATOR)
        assert view.person.email

    def test_a_person_of_another_organization_is_none_as_an_unknown_one(self, engine):
        """Both get the same answer."""
        build(engine, 1)
        build(engine, 1, organization_id=OTHER)
        who = someone(engine, Grant(Role.ADMINISTRATOR, ORG))
        for username in ("nvtbl2-u0", "nobody", ""):
            assert users.open_person(engine, clock, who, username) is None

    def test_staff_with_events_in_an_organization_are_visible_without_email(self, engine):
        """They acted there."""
        ids = build(engine, 1)
        who = someone(engine, Grant(Role.SUPPORT, ORG))
        assert users.open_person(engine, clock, who, "mhale") is None
        act(engine, Action.REQUEST, ids)
        view = users.open_person(engine, clock, who, "mhale")
        assert (view.person.name, view.person.email) == ("Morgan Hale", "")
