"""Who has left: active members whom no line of the users file names."""

import threading

import pytest
from sqlalchemy import Engine

from lib.domain.errors import LastAdministratorError
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, Status
from lib.operations import grants
from lib.operations.imports import packed
from lib.operations.imports.report import Missing, Report
from lib.store import operation_queries
from lib.store.engine import open_engine, writing
from tests.operations.imports.base_directory import (
    BASE,
    BOSS,
    ORG,
    OTHER,
    SERVICE,
    counts,
    last_import,
    line,
    status_of,
    take,
    take_files,
    token_of,
    wait_for_waiting_connections,
    work,
)
from tests.support.actions import act, everything, select
from tests.support.directory import unit_of_work

PEOPLE = ("ann", "bob", "cat", "dan")


@pytest.fixture
def base(engine: Engine) -> Engine:
    """Two organizations; jdoe and four others in the first, eve in the second, and a boss."""
    assert take_files(engine, BASE).all_taken
    grants.grant_by_command(unit_of_work(engine), "boss", [Grant(Role.ADMINISTRATOR)])
    jdoe = "jdoe,Jane Doe,jane@example.org,UTCJF1,active"
    assert take(engine, jdoe, *map(line, PEOPLE), line("eve", OTHER)).all_taken
    return engine


def figures(report: Report) -> tuple[int, int, int]:
    """Return how many are missing, of how many organizations, and their tokens."""
    told = report.missing
    return told.members, told.organizations, told.working_tokens


def listed(report: Report) -> list[tuple[str, str, int]]:
    """Return who is missing, where, and how many tokens work."""
    return [(m.organization_id, m.username, m.working_tokens) for m in report.missing.listed]


class TestWhoIsMissing:
    """Every import says how many."""

    def test_active_members_of_the_named_organizations_count(self, base):
        """With their working tokens; organizations that the file does not name do not."""
        token_of(base, "ann")
        token_of(base, "bob")
        token_of(base, "eve", OTHER)
        report = take(base, line("cat"), line("dan"))
        assert figures(report) == (3, 1, 2)
        assert report.missing.listed == ()
        assert listed(take(base, line("cat"), line("dan"), list_missing=True)) == [
            (ORG, "ann", 1),
            (ORG, "bob", 1),
            (ORG, "jdoe", 0),
        ]

    def test_nobody_is_missing_when_there_is_no_users_file(self, base):
        """Other files name nobody."""
        report = take_files(base, {"organizations": BASE["organizations"]})
        assert report.missing == Missing()

    def test_nobody_is_missing_when_only_staff_is_named(self, base):
        """A staff line names no organization."""
        assert figures(take(base, "boss,The Boss,boss@example.org,,active")) == (0, 0, 0)

    def test_people_count_in_each_organization_apart(self, base):
        """Whoever is named in one can be missing in another."""
        take(base, line("ann", OTHER), line("eve", OTHER))
        report = take(base, line("ann"), line("eve", OTHER), list_missing=True)
        assert (OTHER, "ann", 0) in listed(report)
        assert (ORG, "ann", 0) not in listed(report)

    def test_inactive_members_are_not_missing(self, base):
        """They have left before."""
        take(base, line("ann", status="inactive"), line("bob", status="pending"))
        assert figures(take(base, line("cat"), line("dan")))[0] == 1

    def test_a_pending_request_is_no_working_token(self, base):
        """Nor is one that ended, or expired."""
        ((member,),) = select(base, "SELECT member_id FROM member WHERE username = 'ann'")
        act(base, Action.REQUEST, [member], actor=BOSS)
        assert figures(take(base, line("cat"))) == (4, 1, 0)

    @pytest.mark.parametrize(
        "bad",
        [
            line("ann").replace("active", "asleep"),
            line("ann").replace("UTCJF1", "utcjf1"),
            line("ann").replace("UTCJF1", "UTNONE"),
            line("ann").replace("ann@", "ann"),
            line("ann").replace("ann,", "an\u200bn,", 1),
            f"{line('ann')},one more",
            line("ANN"),
            line("ann") + "\n" + line("ann"),
            "ann,Other Name,other@example.org,UTTAN1,active\n" + line("ann"),
            line("ann", ""),
        ],
    )
    def test_a_refused_line_names_its_person_too(self, base, bad):
        """Or a typing error would make somebody inactive."""
        report = take(base, bad, line("bob"), list_missing=True)
        assert counts(report)[3] > 0
        missing = {username for _, username, _ in listed(report)}
        assert missing - {"eve"} == {"cat", "dan", "jdoe"}

    def test_a_person_is_named_when_the_username_goes_to_somebody_else(self, base):
        """The line is refused, and names the username."""
        token_of(base, "ann")
        report = take(base, f"ann,New Person,new@example.org,{ORG},active", list_missing=True)
        assert "ann" not in [name for _, name, _ in listed(report)]

    @pytest.mark.parametrize("part", [1, 40, 100_000])
    def test_the_same_are_missing_when_rows_are_taken_in_parts(self, base, monkeypatch, part):
        """Parts of the file are what memory asks for."""
        monkeypatch.setattr(packed, "PART_BYTES", part)
        monkeypatch.setattr(packed, "_BLOCK", 2)
        take(base, line("fay", OTHER), line("gus", OTHER), line("eve", OTHER))
        report = take(base, line("cat"), line("dan"), line("eve", OTHER), list_missing=True)
        assert [name for _, name, _ in listed(report)] == ["ann", "bob", "jdoe", "fay", "gus"]
        assert figures(report) == (5, 2, 0)


class TestMakingThemInactive:
    """The option --deactivate-missing N."""

    KEPT = (line("cat"), line("dan"))

    def test_exactly_that_many_are_made_inactive(self, base):
        """Their tokens stop working and keep their state; the event counts both."""
        tokens = [token_of(base, name) for name in PEOPLE]
        report = take(base, *self.KEPT, deactivate_missing=3)
        assert (report.written, report.all_taken, report.missing.deactivated) == (True, True, 3)
        assert [status_of(base, name) for name in ("jdoe", *PEOPLE)] == [
            *(Status.INACTIVE,) * 3,
            *(Status.ACTIVE,) * 2,
        ]
        assert status_of(base, "eve", OTHER) == Status.ACTIVE
        assert work(base, *tokens) == [False, False, True, True]
        detail = "users 0; missing made inactive: 3, with 2 working tokens"
        assert last_import(base) == (3, detail)

    def test_plans_made_before_are_looked_at_again(self, base):
        """The revision of their subscriptions rises, no other."""
        before = dict(select(base, "SELECT organization_id, revision FROM subscription"))
        take(base, *self.KEPT, deactivate_missing=3)
        after = dict(select(base, "SELECT organization_id, revision FROM subscription"))
        assert after == before | {ORG: before[ORG] + 1}

    @pytest.mark.parametrize("number", [0, 1, 2, 4, 100])
    def test_nothing_is_written_when_they_are_more_or_fewer(self, base, number):
        """Not even what the file has new."""
        before = everything(base)
        report = take(base, *self.KEPT, line("new"), deactivate_missing=number)
        assert (report.accepted, report.written, report.all_taken) == (False, False, False)
        assert (report.missing.members, report.missing.deactivated) == (3, 0)
        assert everything(base) == before

    def test_none_can_be_asked_for(self, base):
        """A nightly import that stops as soon as somebody is missing."""
        lines = [line(name) for name in PEOPLE]
        jdoe = "jdoe,Jane Doe,jane@example.org,UTCJF1,active"
        assert take(base, jdoe, *lines, deactivate_missing=0).written
        assert not take(base, jdoe, *lines[1:], deactivate_missing=0).written

    def test_nothing_is_written_when_a_row_is_refused(self, base):
        """Whoever is on it would be taken for missing."""
        before = everything(base)
        report = take(base, *self.KEPT, line("x y"), deactivate_missing=3)
        assert (report.accepted, report.missing.refused) == (False, False)
        assert everything(base) == before

    @pytest.mark.parametrize(
        "left", [(line("dan", status="inactive"),), (line("new", status="pending"),)]
    )
    def test_nothing_is_written_when_an_organization_would_lose_all_members(self, base, left):
        """A file that was cut off names few."""
        before = everything(base)
        number = 5 - (left[0].startswith("dan"))
        report = take(base, *left, deactivate_missing=number)
        assert (report.missing.members, report.missing.emptied) == (number, (ORG,))
        assert not report.accepted
        assert everything(base) == before

    def test_one_new_member_is_enough(self, base):
        """The organization has somebody left."""
        assert take(base, line("new"), deactivate_missing=5).written
        assert status_of(base, "new") == Status.ACTIVE

    @pytest.mark.parametrize("dry_run", [False, True])
    def test_the_last_administrator_stays(self, base, dry_run):
        """An administrator can be a member, too."""
        grants.grant_by_command(unit_of_work(base), "ann", [Grant(Role.ADMINISTRATOR)])
        grants.revoke_by_command(unit_of_work(base), "boss", [Grant(Role.ADMINISTRATOR)])
        before = everything(base)
        with pytest.raises(LastAdministratorError):
            take(base, *self.KEPT, deactivate_missing=3, dry_run=dry_run)
        assert everything(base) == before

    def test_staff_and_roles_are_not_touched_and_roles_are_told(self, base):
        """Of those who are no active member anywhere."""
        wanted = [Grant(Role.ANALYST), Grant(Role.SUPPORT, OTHER)]
        grants.grant_by_command(unit_of_work(base), "ann", wanted)
        grants.grant_by_command(unit_of_work(base), "bob", [Grant(Role.SUPPORT)])
        take(base, line("bob", OTHER), line("eve", OTHER))
        before = select(base, "SELECT * FROM role_grant")
        report = take(base, *self.KEPT, deactivate_missing=3)
        assert [(r.username, r.name, r.grant) for r in report.roles_left] == [
            ("ann", "Ann Lee", wanted[0]),
            ("ann", "Ann Lee", wanted[1]),
        ]
        assert select(base, "SELECT * FROM role_grant") == before
        assert select(base, "SELECT staff_status FROM user_account WHERE username = 'boss'") == [
            ("active",)
        ]

    @pytest.mark.parametrize("part", [1, 100_000])
    def test_the_right_ones_are_made_inactive_when_rows_are_taken_in_parts(
        self, base, monkeypatch, part
    ):
        """Each part by a statement of its own, in all organizations."""
        monkeypatch.setattr(packed, "PART_BYTES", part)
        take(base, line("fay", OTHER))
        report = take(base, *self.KEPT, line("eve", OTHER), deactivate_missing=4)
        assert report.missing.deactivated == 4
        active = select(base, "SELECT username FROM member WHERE status = 'active' ORDER BY 1")
        assert active == [("cat",), ("dan",), ("eve",)]


class TestStillActiveElsewhere:
    """Somebody moved, and the file names only where to."""

    def test_a_person_added_is_named_where_the_file_names_nobody(self, base):
        """With the tokens that work there."""
        token_of(base, "ann")
        report = take(base, line("ann", OTHER), line("eve", OTHER))
        assert [tuple(member) for member in report.elsewhere] == [(ORG, "ann", "Ann Lee", 1)]
        assert figures(report) == (0, 0, 0)

    def test_nobody_is_named_when_the_file_names_both_places(self, base):
        """Who is missing there is told as missing."""
        report = take(base, line("ann", OTHER), line("bob"))
        assert report.elsewhere == ()
        assert report.missing.members == 5

    def test_nobody_is_named_when_nobody_is_added(self, base):
        """The second import says nothing new."""
        take(base, line("ann", OTHER))
        assert take(base, line("ann", OTHER)).elsewhere == ()

    def test_nobody_is_named_who_is_inactive_there(self, base):
        """They left that place."""
        take(base, line("ann", status="inactive"))
        assert take(base, line("ann", OTHER)).elsewhere == ()


class TestMeanwhile:
    """PostgreSQL takes several writers at a time."""

    def test_making_people_inactive_waits_for_who_changes_tokens(self, postgresql_url):
        """Both lock the subscription first."""
        engine = open_engine(postgresql_url)
        assert take_files(engine, BASE).all_taken
        assert take(engine, line("ann"), line("bob")).all_taken
        done: list[Report] = []
        wanted = {"deactivate_missing": 2}
        run = threading.Thread(target=lambda: done.append(take(engine, line("bob"), **wanted)))
        with writing(engine) as connection:
            operation_queries.lock_scope(connection, ORG, SERVICE)
            run.start()
            wait_for_waiting_connections(engine)
            assert done == []
        run.join(30)
        assert done[0].missing.deactivated == 2
        engine.dispose()
