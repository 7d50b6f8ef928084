"""A username belongs to one person: an import that gives it to somebody else is refused."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, event

from lib.domain.audit import GLOBAL_CHAIN
from lib.domain.claims import SIGNED_IN_AT
from lib.domain.clock import HOUR
from lib.domain.errors import SignedOutError, UnknownPersonError
from lib.domain.ids import new_id
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, Holding
from lib.operations import grants, sign_in_sessions
from lib.operations.imports.report import FileReport, Report
from lib.operations.sign_in_sessions import LoginClaims, SessionLimits
from lib.store import audit_queries, grant_queries, operation_queries, sign_in_queries, tables
from lib.store.engine import open_engine, writing
from lib.store.sign_in_queries import SignInRow
from tests.operations.imports.base_directory import (
    BASE,
    BOSS,
    ORG,
    OTHER,
    SERVICE,
    counts,
    take,
    take_files,
    wait_for_waiting_connections,
)
from tests.support.actions import act, everything, give, select
from tests.support.database_facts import NOW
from tests.support.directory import unit_of_work

SOMEBODY_ELSE = "jdoe,John Dorsey,john.dorsey@example.org,UTCJF1,active"


@pytest.fixture
def base(engine: Engine) -> Engine:
    """Two organizations, jdoe in one of them, and a staff account with a role."""
    assert take_files(engine, BASE).all_taken
    grants.grant_by_command(unit_of_work(engine), "boss", [Grant(Role.ADMINISTRATOR)])
    return engine


def users(report: Report) -> FileReport:
    """Return what became of the users file."""
    return report.files["users"]


def name_of(engine: Engine, username: str = "jdoe") -> str:
    """Return the stored name of an account."""
    ((name,),) = select(engine, "SELECT name FROM user_account WHERE username = :u", u=username)
    return name


def member(engine: Engine) -> str:
    """Return the member id of jdoe."""
    ((member_id,),) = select(engine, "SELECT member_id FROM member WHERE username = 'jdoe'")
    return member_id


def grant(engine: Engine, username: str = "jdoe", organization_id: str | None = None) -> None:
    """Grant a role by command."""
    wanted = [Grant(Role.SUPPORT, organization_id)]
    grants.grant_by_command(unit_of_work(engine), username, wanted)


def ask_approval(engine: Engine, *, at: int = NOW, **facts: object) -> None:
    """Let jdoe have asked for an approval; no role is left of it."""
    asked = {
        "organization_id": OTHER,
        "operation_id": new_id(NOW),
        "service_id": SERVICE,
        "requester": "jdoe",
        "asked_at": at,
        "users": 1,
        "plan": "{}",
        "plan_digest": "",
        "reason": "",
        "state": "waiting",
    }
    with writing(engine) as connection:
        connection.execute(tables.approval.insert().values(asked | facts))


def carry_out_an_approval(engine: Engine) -> None:
    """Let jdoe have carried out what was approved."""
    done = {"organization_id": OTHER, "operation_id": new_id(NOW), "service_id": SERVICE}
    ask_approval(engine, state="approved", answered_by="boss", answered_at=NOW, **done)
    values = {"action": "generate", "actor": "jdoe", "confirmed_at": NOW, "plan_digest": ""}
    with writing(engine) as connection:
        connection.execute(
            tables.operation.insert().values(done | values | {"changed": 1, "skipped": 0})
        )


def give_token(holding: Holding = Holding.ACCEPTED, **facts: object) -> Callable[[Engine], None]:
    """Return what gives jdoe a token."""
    return lambda engine: give(engine, member(engine), holding, **facts) and None


HELD: dict[str, Callable[[Engine], None]] = {
    "a role everywhere": grant,
    "a role in one organization": lambda engine: grant(engine, organization_id=OTHER),
    "an accepted token": give_token(),
    "an exported token": give_token(Holding.PENDING),
    "a request": lambda engine: act(engine, Action.REQUEST, [member(engine)], actor=BOSS) and None,
    "an approval that waits": ask_approval,
    "an approved plan": lambda engine: ask_approval(
        engine, state="approved", answered_by="boss", answered_at=NOW
    ),
}
NOT_HELD: dict[str, Callable[[Engine], None]] = {
    "nothing": lambda _: None,
    "a token that ended": lambda engine: (
        give_token()(engine),
        act(engine, Action.REMOVE, [member(engine)], actor=BOSS),
    ),
    "a token that expired": give_token(expires_at=NOW),
    "an approval that lapsed": lambda engine: ask_approval(engine, at=NOW - HOUR - 1),
    "an approval that was rejected": lambda engine: ask_approval(
        engine, state="rejected", answered_by="boss", answered_at=NOW
    ),
    "an approved plan that was carried out": carry_out_an_approval,
    "a role of somebody else": lambda engine: grant(engine, "boss"),
}


IMPORTED_SIGN_OUT = ("jdoe", "command line", "another person got the username")


def sign_outs(engine: Engine) -> list[tuple[str, str, str]]:
    """Return actor, address and detail of every sign-out."""
    query = "SELECT actor, address, detail FROM audit_event WHERE action = 'sign-out'"
    return select(engine, query)


@contextlib.contextmanager
def noted_statements(engine: Engine) -> Iterator[list[str]]:
    """Yield the statements that the database is asked meanwhile."""
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


class TestSomebodyElse:
    """A row with another name and another e-mail."""

    def test_a_row_is_refused_when_the_account_has_a_role(self, base):
        """The refusal says who has the username, what they have, and both ways out."""
        grant(base)
        before = everything(base)
        report = take(base, SOMEBODY_ELSE)
        assert (report.written, counts(report)) == (False, (0, 0, 0, 1))
        assert [tuple(refusal) for refusal in users(report).refusals] == [
            (
                2,
                "username",
                "jdoe",
                (
                    "name and e-mail both change, and jdoe (Jane Doe, jane@example.org) has a role;"
                    " if it is the same person, add --same-person jdoe; if not, give the new"
                    " person another username, or end the roles, tokens and requests of jdoe first"
                ),
            )
        ]
        assert everything(base) == before

    @pytest.mark.parametrize("held", HELD)
    def test_a_row_is_refused_when_the_account_has(self, base, held):
        """Whatever the newcomer would get."""
        HELD[held](base)
        before = everything(base)
        assert not take(base, SOMEBODY_ELSE).written
        assert everything(base) == before

    @pytest.mark.parametrize("held", NOT_HELD)
    def test_a_row_is_taken_when_the_account_has(self, base, held):
        """Nothing that the newcomer would get."""
        NOT_HELD[held](base)
        assert counts(take(base, SOMEBODY_ELSE)) == (0, 1, 0, 0)
        assert name_of(base) == "John Dorsey"

    @pytest.mark.parametrize(
        ("line", "options", "lasts"),
        [
            (SOMEBODY_ELSE, {}, False),
            (SOMEBODY_ELSE, {"same_person": ["jdoe"]}, True),
            ("jdoe,Jane Dorsey,jane@example.org,UTCJF1,active", {}, True),
        ],
        ids=["somebody else", "said to be the same", "renamed"],
    )
    def test_the_sign_ins_of_the_person_before_end(self, base, line, options, lasts):
        """Or their browser would be signed in as whoever has the username now."""
        with writing(base) as connection:
            for username in ("jdoe", "boss"):
                row = SignInRow(username, NOW, NOW, None)
                sign_in_queries.add(connection, f"of {username}", row)
        assert take(base, line, **options).written
        found = dict(select(base, "SELECT username, ended_at FROM sign_in"))
        assert found == {"jdoe": None if lasts else NOW, "boss": None}
        assert sign_outs(base) == ([] if lasts else [IMPORTED_SIGN_OUT])

    def test_each_sign_in_that_an_import_ends_is_an_event(self, base):
        """As each other end is; one that had ended before is none."""
        with writing(base) as connection:
            for number, ended_at in enumerate((None, NOW, None)):
                row = SignInRow("jdoe", NOW, NOW, ended_at)
                sign_in_queries.add(connection, f"{number}", row)
        take(base, SOMEBODY_ELSE)
        assert sign_outs(base) == [IMPORTED_SIGN_OUT] * 2

    @pytest.mark.parametrize("line", ["jdoe,Jane Doe,jane@example.org,UTCJF1,inactive", None])
    def test_sign_ins_are_not_looked_at_when_nobody_else_gets_a_username(self, base, line):
        """Most imports: without a statement about sign-ins."""
        with noted_statements(base) as statements:
            take(base, *([line] if line else []))
        assert [statement for statement in statements if "sign_in" in statement] == []

    def test_everything_that_an_account_has_is_named(self, base):
        """One who sees only the role would end only the role."""
        for have in (grant, give_token(), ask_approval):
            have(base)
        (refusal,) = users(take(base, SOMEBODY_ELSE)).refusals
        assert " has a role and a live token or request and a request for approval; " in (
            refusal.reason
        )

    def test_a_username_is_quoted_when_a_shell_would_run_it(self, base):
        """The refusal is copied into a terminal."""
        take(base, "$(id),Ann Lee,ann@example.org,,active")
        grant(base, username="$(id)")
        (refusal,) = users(take(base, "$(id),Bo Ray,bo@example.org,,active")).refusals
        assert " add --same-person '$(id)'; " in refusal.reason

    def test_a_staff_line_is_refused_too(self, base):
        """Roles belong to staff first of all."""
        report = take(base, "boss,Next Boss,next@example.org,,active")
        assert [(r.line, r.value) for r in users(report).refusals] == [(2, "boss")]
        assert name_of(base, "boss") == "The Boss"

    def test_a_new_membership_is_refused_when_the_token_is_elsewhere(self, base):
        """The account is one, whatever organization the line names."""
        give_token()(base)
        report = take(base, SOMEBODY_ELSE.replace(ORG, OTHER))
        assert [(r.line, r.field) for r in users(report).refusals] == [(2, "username")]
        assert select(base, "SELECT count(*) FROM member") == [(1,)]

    def test_every_line_of_the_username_is_refused(self, base):
        """With the others written when bad rows are skipped."""
        grant(base)
        lines = (SOMEBODY_ELSE, "new,New,,UTCJF1,active", SOMEBODY_ELSE.replace(ORG, OTHER))
        report = take(base, *lines, skip_bad_rows=True)
        assert (report.written, counts(report)) == (True, (1, 0, 0, 2))
        assert [r.line for r in users(report).refusals] == [2, 4]
        assert name_of(base) == "Jane Doe"

    @pytest.mark.parametrize("options", [{}, {"same_person": ["jdoe"]}])
    def test_lines_that_disagree_are_refused_whoever_the_person_is(self, base, options):
        """The old name on one line and the new one on another: nobody knows which is right."""
        grant(base)
        old = "jdoe,Jane Doe,jane@example.org,UTCJF1,active"
        report = take(base, old, SOMEBODY_ELSE.replace(ORG, OTHER), skip_bad_rows=True, **options)
        assert counts(report) == (0, 0, 0, 2)
        assert name_of(base) == "Jane Doe"


class TestTheSamePersonAsBefore:
    """What a row may change without being asked about."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (("Jane Doe", "jane@example.org"), ("Jane Roe", "jane@example.org")),
            (("Jane Doe", "jane@example.org"), ("Jane Doe", "jane.roe@example.org")),
            (("Jane Doe", ""), ("John Dorsey", "john@example.org")),
            (("Jane Doe", ""), ("John Dorsey", "")),
            (("jdoe", "jane@example.org"), ("Jane Doe", "j@example.org")),
            (("JDOE", "jane@example.org"), ("Jane Doe", "j@example.org")),
            (("jane doe", "jane@example.org"), ("Jane DOE", "j@example.org")),
            (("Jane Doe", "Jane@Example.org"), ("Jane Roe", "jane@example.ORG")),
            (("ZOË STRAßE", "zoe@example.org"), ("Zoë Strasse", "z@example.org")),
            (("Jane Doe", "jane@example.org"), ("Jane Doe", "")),
        ],
    )
    def test_it_is_taken_when_name_or_email_stays(self, base, before, after):
        """An empty e-mail, a name that was the username, and a difference of case are no change."""
        line = "jdoe,{},{},UTCJF1,active".format
        assert take(base, line(*before)).written
        grant(base)
        assert counts(take(base, line(*after)))[3] == 0
        assert name_of(base) == after[0]

    @pytest.mark.parametrize(
        "after",
        [
            ("Jane Dóe", "j@example.org"),
            ("jdoe", "j@example.org"),
            ("Jane Roe", ""),
        ],
    )
    def test_it_is_refused_when_both_differ_by_more(self, base, after):
        """Accents count, and so does taking an e-mail away."""
        grant(base)
        assert not take(base, "jdoe,{},{},UTCJF1,active".format(*after)).written


class TestSaidToBeTheSamePerson:
    """The option --same-person."""

    def test_the_row_is_taken_and_the_event_says_so(self, base):
        """Token and role stay with the account."""
        grant(base)
        report = take(base, SOMEBODY_ELSE, same_person=["jdoe"])
        assert (report.all_taken, counts(report)) == (True, (0, 1, 0, 0))
        assert name_of(base) == "John Dorsey"
        details = select(
            base, "SELECT detail FROM audit_event WHERE action = 'import' ORDER BY number"
        )
        assert details[1:] == [("users 1; same person: jdoe",)]

    def test_it_counts_for_those_who_are_named_only(self, base):
        """The event names them in order."""
        for username in ("ann", "bob"):
            take(base, f"{username},Old Name,old@example.org,{ORG},active")
            grant(base, username=username)
        lines = [f"{name},New Name,new@example.org,{ORG},active" for name in ("ann", "bob")]
        report = take(base, *lines, same_person=["ann"], skip_bad_rows=True)
        assert [r.value for r in users(report).refusals] == ["bob"]
        lines = [f"{name},Third Name,third@example.org,{ORG},active" for name in ("ann", "bob")]
        assert take(base, *lines, same_person=["bob", "ann", "bob"]).all_taken
        assert select(base, "SELECT detail FROM audit_event WHERE detail LIKE '%same person%'") == [
            ("users 1; same person: ann",),
            ("users 2; same person: ann, bob",),
        ]

    def test_the_event_names_only_those_of_whom_it_was_true(self, base):
        """Not who kept name or e-mail, whose row was refused, or who has no row."""
        for username in ("ann", "bob", "cyd"):
            take(base, f"{username},Old Name,old@example.org,{ORG},active")
        lines = (
            f"ann,New Name,new@example.org,{ORG},active",
            f"bob,New Name,old@example.org,{ORG},active",
            f"cyd,New Name,new@example.org,{ORG},nonsense",
        )
        named = ["ann", "bob", "cyd", "jdoe"]
        assert take(base, *lines, same_person=named, skip_bad_rows=True).written
        take(base, *lines, same_person=named, skip_bad_rows=True)
        details = select(
            base, "SELECT detail FROM audit_event WHERE action = 'import' ORDER BY number"
        )
        assert details[-2:] == [("users 2; same person: ann",), ("users 0",)]

    def test_a_username_is_read_as_in_a_file(self, base):
        """White space round it goes, and accents are composed."""
        take(base, "zo\u00eb,Zoe Nunez,zoe@example.org,UTCJF1,active")
        grant(base, username="zo\u00eb")
        line = "zo\u00eb,Zoe Egan,egan@example.org,UTCJF1,active"
        assert take(base, line, same_person=[" zoe\u0308\r\n"]).all_taken

    @pytest.mark.parametrize("username", ["JDOE", "nobody", "", "j\ud800", "x" * 10_000])
    def test_an_unknown_username_stops_the_import(self, base, username):
        """Usernames differ by case; nothing is written, not even with bad rows skipped."""
        before = everything(base)
        with pytest.raises(UnknownPersonError) as stop:
            take(base, SOMEBODY_ELSE, same_person=["jdoe", username], skip_bad_rows=True)
        assert stop.value.username == username
        assert everything(base) == before

    def test_it_does_no_harm_when_nothing_changes(self, base):
        """The same command can run every night."""
        grant(base)
        for _ in "ab":
            assert take(base, SOMEBODY_ELSE, same_person=["jdoe"]).all_taken
        assert take(base, same_person=["jdoe"]).all_taken


class TestMeanwhile:
    """PostgreSQL takes several writers at a time; the import waits for those who count."""

    @pytest.fixture
    def served(self, postgresql_url):
        """The base on PostgreSQL."""
        engine = open_engine(postgresql_url)
        assert take_files(engine, BASE).all_taken
        yield engine
        engine.dispose()

    def test_a_role_granted_meanwhile_counts(self, served):
        """Each grant locks the chain of what belongs to no organization."""

        def add_role(connection):
            audit_queries.lock_head(connection, GLOBAL_CHAIN)
            role = Grant(Role.SUPPORT)
            grant_queries.add_grant(connection, new_id(NOW), "jdoe", role, NOW, "boss")

        assert not imported_while(served, add_role).written

    def test_a_request_made_meanwhile_counts(self, served):
        """Whoever makes tokens locks the subscription."""
        request = {
            "organization_id": ORG,
            "token_id": new_id(NOW),
            "service_id": SERVICE,
            "member_id": member(served),
            "state": "pending",
            "origin": "request",
            "created_at": NOW,
        }

        def add_request(connection):
            operation_queries.lock_scope(connection, ORG, SERVICE)
            connection.execute(tables.token.insert().values(request))

        assert not imported_while(served, add_request).written

    def test_a_sign_out_and_an_import_do_not_wait_in_a_circle(self, served):
        """Both lock the chain first, then the sign-in."""
        arrival = LoginClaims({"preferred_username": "jdoe"}, "")
        with writing(served) as connection:
            row = SignInRow("jdoe", NOW, NOW, None)
            sign_in_queries.add(connection, arrival.sign_in_id, row)
        leaving = threading.Thread(
            target=sign_in_sessions.sign_out, args=(unit_of_work(served), arrival)
        )
        with writing(served) as connection:
            audit_queries.lock_head(connection, GLOBAL_CHAIN)
            leaving.start()
            wait_for_waiting_connections(served, 1)
            assert sign_in_queries.end_all_of(connection, ["jdoe"], NOW) == ["jdoe"]
        leaving.join(30)
        assert sign_outs(served) == []

    def test_a_sign_out_and_the_first_sight_do_not_wait_in_a_circle(self, served):
        """The sign-out comes first: the page that opens meanwhile is for nobody."""
        arrival = LoginClaims({"preferred_username": "jdoe", SIGNED_IN_AT: NOW}, "")
        limits = SessionLimits(idle=HOUR, whole=HOUR)
        with ThreadPoolExecutor(2) as threads:
            with writing(served) as connection:
                audit_queries.lock_head(connection, GLOBAL_CHAIN)
                leaving = threads.submit(sign_in_sessions.sign_out, unit_of_work(served), arrival)
                wait_for_waiting_connections(served, 1)
                coming = threads.submit(
                    sign_in_sessions.resume,
                    unit_of_work(served),
                    limits,
                    "preferred_username",
                    arrival,
                )
                wait_for_waiting_connections(served, 2)
            leaving.result(30)
            with pytest.raises(SignedOutError):
                coming.result(30)


def imported_while(engine: Engine, write: Callable[[Connection], None]) -> Report:
    """Return what an import reports that begins after `write`, and before that is committed."""
    reports: list[Report] = []
    importing = threading.Thread(target=lambda: reports.append(take(engine, SOMEBODY_ELSE)))
    with writing(engine) as connection:
        write(connection)
        importing.start()
        wait_for_waiting_connections(engine, 1)
    importing.join(30)
    (report,) = reports
    return report
