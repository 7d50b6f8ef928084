"""No event, no effect: while the audit trail takes nothing, nobody can do anything."""

import contextlib
import logging
import sys
from collections.abc import Callable
from functools import partial

import pytest

from lib.demo.demo_data import fill_demo
from lib.domain.clock import HOUR, MINUTE, SECOND
from lib.domain.errors import AuditNotWrittenError, NotAllowedError
from lib.domain.roles import Grant, Permission, Role
from lib.domain.states import Action, Holding
from lib.domain.tokens import FoundToken
from lib.operations import (
    audited_download,
    credentials,
    grants,
    own_tokens,
    recall,
    revocation,
    sign_in_sessions,
)
from lib.operations.audited_download import DownloadNotRecordedError
from lib.operations.export_download import ExportDownload
from lib.operations.import_directory import import_directory
from lib.operations.import_rows import parse
from lib.operations.one_time_secrets import OneTimeSecrets, SecretKey
from lib.operations.sign_in_sessions import LoginClaims, SessionLimits
from lib.operations.unit_of_work import UnitOfWork
from lib.operations.verification.usage_recorder import UsageRecorder
from tests.operations.test_permissions import copied, taking
from tests.support.actions import LATER, change, give, plan, select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, clock, unit_of_work
from tests.support.use_cases import (
    CASES,
    OWN,
    PARTS,
    Case,
    World,
    add_people,
    build_world,
    raising,
    rows,
    username,
)

Acts = dict[str, Callable[[World], object]]
SUPPORT = [Grant(Role.SUPPORT)]
LIMITS = SessionLimits(30 * MINUTE, 12 * HOUR)
RECORDING = [
    case for case in CASES if case.writes or case.of.__module__.endswith("audited_download")
]
USERS = b"username,name,email,organization_id,status\nnew,New Person,,,active\n"


def _arrival(name: str) -> LoginClaims:
    return LoginClaims({"sub": name, "iat": LATER // SECOND}, "192.0.2.9")


def _appoint(w: World) -> None:
    grants.appoint_first(w.unit_of_work, ["newcomer@example.com"])


def _leave(w: World) -> None:
    sign_in_sessions.sign_out(w.unit_of_work, _arrival("mhale"))


def _end_leaked(w: World) -> bool:
    (leaked,) = w.places[OWN].recall.leaked
    found = FoundToken(
        *(leaked.organization_id, leaked.service_id, leaked.token_id, leaked.member_id),
        *(leaked.username, leaked.state, 0, None),
        active=True,
    )
    return revocation.end(w.unit_of_work, found, "192.0.2.9", "its holder")


#: What writes and takes no actor, by the use case's name.
OTHERS: Acts = {
    "grants.grant_by_command": lambda w: grants.grant_by_command(w.unit_of_work, "mhale", SUPPORT),
    "grants.revoke_by_command": lambda w: grants.revoke_by_command(
        w.unit_of_work, username(OWN, 4), [Grant(Role.SUPPORT, OWN)]
    ),
    "credentials.create_by_command": lambda w: credentials.create_by_command(
        w.unit_of_work, SERVICE, MINTING
    ),
    "credentials.end_by_command": lambda w: credentials.end_by_command(w.unit_of_work, w.client_id),
    "recall.end_by_command": lambda w: recall.end_by_command(
        w.unit_of_work,
        recall.look_up_by_command(w.unit_of_work, w.places[OWN].leaked, MINTING, whole=False),
    ),
    "revocation.end": _end_leaked,
    "import_directory.import_directory": lambda w: import_directory(
        w.unit_of_work, {"users": parse("users", USERS)}
    ),
    "sign_in_sessions.resume": lambda w: sign_in_sessions.resume(
        w.unit_of_work, LIMITS, "sub", _arrival("support-all")
    ),
    "sign_in_sessions.sign_out": _leave,
    "sign_in_sessions.begin_by_proxy": lambda w: sign_in_sessions.begin_by_proxy(
        w.unit_of_work, "mhale", "192.0.2.9"
    ),
}
#: What is given a ledger and writes nothing but a refusal.
READING = {
    "actions.plan_action",
    "off_boarding.plan_off_boarding",
    "recall.look_up",
    "recall.look_up_by_command",
    "recall.widen",
    "sign_in_sessions.session_status",
    "sign_in_sessions.username_of",
    "sign_in_sessions.find_by_proxy",
    "actions.needs_approval",
    "sign_in_sessions.record_page_refusal",
}
#: What is tested by itself, further down.
ALONE = {
    "export_download.ExportDownload",
    "verification.usage_recorder.UsageRecorder",
    "verification.token_verifier.TokenVerifier",
}
#: Parts of the above, inside their transaction.
WITHIN = {"actions.execute_within", "actions.needs_approval_within", "batches.execute_all"}


@pytest.fixture
def world(engine):
    """Both organizations with everything in them, and somebody signed in."""
    made = build_world(engine)
    add_people(engine)
    sign_in_sessions.resume(made.unit_of_work, LIMITS, "sub", _arrival("mhale"))
    return made


def _by_administrator(w: World, case: Case) -> object:
    name = username(OWN, 0) if case.asks == "owner" else "administrator-all"
    return case.call(w, ADMIN._replace(username=name), OWN)


def _unlike(world: World, acts: Acts) -> list[str]:
    """Return what is done without an event, or changes something; each is done once with one."""
    before, wrong = rows(world.engine, audit=True), []
    for name, do in acts.items():
        with (
            raising(world.engine),
            contextlib.suppress(AuditNotWrittenError, DownloadNotRecordedError),
        ):
            wrong.append(f"{name}: {do(world)!r}")
        if rows(world.engine, audit=True) != before:
            wrong.append(f"{name} changed something")
        with copied(world.engine) as engine:
            do(world.on(engine))
            if rows(engine, audit=True) == before:
                wrong.append(f"{name} does nothing anyway")
    sys.stdout.write(
        f"\n{world.engine.dialect.name}: {len(acts)} use cases without an audit trail,"
        f" {len(wrong)} had an effect\n"
    )
    return wrong


class TestEveryUseCase:
    """With a trigger that raises on each new event."""

    def test_by_a_person(self, world: World):
        """Who may do everything does nothing; the trail itself is as it was."""
        acts = {case.name: partial(_by_administrator, case=case) for case in RECORDING}
        assert _unlike(world, acts) == []

    def test_by_nobody_in_particular(self, world: World):
        """Commands, imports, and who comes and goes."""
        assert _unlike(world, OTHERS) == []

    def test_the_first_administrator(self, world: World):
        """No account, no grant."""
        change(world.engine, "DELETE FROM role_grant WHERE role = 'administrator'")
        assert _unlike(world, {"grants.appoint_first": _appoint}) == []

    def test_all_of_them(self):
        """Every use case that is given a ledger is here, or writes nothing."""
        covered = {case.name.partition(" ")[0] for case in RECORDING} | set(OTHERS)
        covered |= {"grants.appoint_first"}
        assert taking(UnitOfWork) - covered - READING - ALONE - WITHIN - set(PARTS) == set()

    def test_demo_data(self, engine):
        """The database stays empty."""
        before = rows(engine, audit=True)
        with raising(engine), pytest.raises(AuditNotWrittenError):
            fill_demo(unit_of_work(engine), MINTING)
        assert rows(engine, audit=True) == before


class TestRefusals:
    """Without a trail a refusal is a refusal all the same."""

    def test_it_stands_and_the_log_tells(self, world, caplog):
        """The log says that it was not recorded, with the kind of the error alone."""
        nobody = ADMIN._replace(username="nobody")
        before = rows(world.engine, audit=True)
        with (
            raising(world.engine),
            caplog.at_level(logging.ERROR),
            pytest.raises(NotAllowedError),
        ):
            grants.grant(world.unit_of_work, nobody, "mhale", SUPPORT)
        assert rows(world.engine, audit=True) == before
        assert "a refusal was not recorded: AuditUnwritten" in caplog.text

    def test_a_page_that_is_refused(self, world, caplog):
        """Nothing is raised: the page is not shown anyway."""
        with raising(world.engine), caplog.at_level(logging.ERROR):
            sign_in_sessions.record_page_refusal(world.unit_of_work, ADMIN, Permission.ACCESS, "")
        assert "a refusal was not recorded: AuditUnwritten" in caplog.text


class TestFiles:
    """Nothing leaves that is not recorded."""

    def test_the_click_that_mints(self, engine):
        """No file, no token, nothing in the vault; the error is kept for the page."""
        ids = build(engine, 3)
        planned, one_time_secrets = plan(engine, Action.GENERATE, ids), OneTimeSecrets()
        key = SecretKey("session", ADMIN.username, planned.operation_id)
        delivered = ExportDownload(
            unit_of_work(engine, clock),
            MINTING,
            one_time_secrets,
            key,
            ADMIN,
            planned,
            lambda: True,
        )
        with raising(engine), pytest.raises(DownloadNotRecordedError):
            delivered()
        assert isinstance(delivered.error, AuditNotWrittenError)
        assert one_time_secrets.get(key) is None
        assert select(engine, "SELECT count(*) FROM token") == [(0,)]

    def test_what_a_download_makes_is_not_made(self, world):
        """The event comes first."""
        made = []
        give_it = audited_download.audited_download(
            world.unit_of_work, ADMIN, Permission.EXPORT, "f.csv", lambda: made.append(1) or b"f"
        )
        with raising(world.engine), pytest.raises(DownloadNotRecordedError):
            give_it()
        assert made == []
        assert give_it() == b"f"


class TestOwnSteps:
    """What a user does without a role."""

    def test_first_use_waits(self, engine):
        """The token works and stays pending until the trail takes the event."""
        ids = build(engine, 1)
        give(engine, ids[0], Holding.PENDING)
        (token_id,) = select(engine, "SELECT token_id FROM token")[0]
        uses = UsageRecorder(unit_of_work(engine))
        uses._stopping.set()
        found = FoundToken(
            **dict.fromkeys(FoundToken._fields)
            | {
                "organization_id": ORG,
                "service_id": SERVICE,
                "token_id": token_id,
                "state": "pending",
                "username": "utcjf1-u0",
            }
        )
        uses.note(found, clock())
        with raising(engine):
            uses.accept_first_uses()
        assert select(engine, "SELECT state FROM token") == [("pending",)]
        uses.accept_first_uses()
        assert select(engine, "SELECT state FROM token") == [("accepted",)]

    def test_no_token_is_given(self, world):
        """Accepting a request shows nothing."""
        pending = world.places[OWN].pending
        actor = ADMIN._replace(username=username(OWN, 0))
        with raising(world.engine), pytest.raises(AuditNotWrittenError):
            own_tokens.accept(world.unit_of_work, actor, pending, MINTING)
        assert own_tokens.accept(world.unit_of_work, actor, pending, MINTING).startswith("demo_")
