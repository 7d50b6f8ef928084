"""Without an audit event nothing happens: no use case works while the trail cannot be written."""

import contextlib
import logging
import sys
from collections.abc import Callable
from functools import partial

import pytest

from lib.demo.demo_data import fill_demo
from lib.domain.claims import SIGNED_IN_AT
from lib.domain.clock import HOUR, MINUTE
from lib.domain.errors import AuditNotWrittenError, NotAllowedError
from lib.domain.roles import Grant, Permission, Role
from lib.domain.states import Action, Holding
from lib.domain.tokens import FoundToken
from lib.operations import (
    audited_download,
    credentials,
    grants,
    own_tokens,
    proxy_sign_in,
    recall,
    revocation,
    sign_in_sessions,
    undo,
)
from lib.operations.audited_download import DownloadNotRecordedError
from lib.operations.imports.import_directory import import_directory
from lib.operations.imports.parse import parse
from lib.operations.leak_reader.reader import pasted
from lib.operations.minting_download import MintingDownload
from lib.operations.secret_retention import OneTimeSecrets, SecretKey
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


def _login(name: str) -> LoginClaims:
    """Return login claims of a person."""
    return LoginClaims({"sub": name, SIGNED_IN_AT: LATER}, "192.0.2.9")


def _appoint(w: World) -> None:
    grants.appoint_first(w.unit_of_work, ["newcomer@example.com"])


def _sign_out(w: World) -> None:
    """Sign the person out."""
    sign_in_sessions.sign_out(w.unit_of_work, _login("mhale"))


def _end_leaked(w: World) -> bool:
    digests = MINTING.digests([w.places[OWN].leaked])
    return revocation.revoke(w.unit_of_work, digests, "192.0.2.9", None)


def _undo(w: World) -> object:
    operation_id = w.places[OWN].operation.operation_id
    planned = undo.plan_undo_by_command(w.unit_of_work, operation_id)
    return undo.undo_by_command(w.unit_of_work, planned)


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
        recall.look_up_by_command(
            w.unit_of_work, pasted(w.places[OWN].leaked), MINTING, whole=False
        ),
    ),
    "revocation.revoke": _end_leaked,
    "undo.undo_by_command": _undo,
    "import_directory.import_directory": lambda w: import_directory(
        w.unit_of_work, {"users": parse("users", USERS)}
    ),
    "sign_in_sessions.resume": lambda w: sign_in_sessions.resume(
        w.unit_of_work, LIMITS, "sub", _login("support-all")
    ),
    "sign_in_sessions.sign_out": _sign_out,
    "proxy_sign_in.begin": lambda w: proxy_sign_in.begin(w.unit_of_work, "mhale", "192.0.2.9"),
}
#: What is given a unit of work and writes nothing but a refusal.
READING = {
    "database.OpenedDatabase",
    "actions.plan_action",
    "off_boarding.plan_off_boarding",
    "recall.look_up",
    "recall.look_up_by_command",
    "recall.widen",
    "undo.plan_undo",
    "undo.plan_undo_by_command",
    "undo.read_undo_state",
    "kept_exports.find_export",
    "sign_in_sessions.session_status",
    "sign_in_sessions.username_of",
    "proxy_sign_in.find",
    "actions.needs_approval",
    "sign_in_sessions.record_page_refusal",
}
#: What is tested by itself, further down.
ALONE = {
    "minting_download.MintingDownload",
    "kept_exports.KeptExport",
    "usage_recorder.UsageRecorder",
    "token_verifier.TokenVerifier",
}
#: Parts of the above, inside their transaction.
WITHIN = {
    "actions.execute_within",
    "actions.needs_approval_within",
    "batches.execute_all",
    "usage_recorder.accept_within",
}


@pytest.fixture
def world(engine):
    """Both organizations with all their data, and a signed-in person."""
    made = build_world(engine)
    add_people(engine)
    sign_in_sessions.resume(made.unit_of_work, LIMITS, "sub", _login("mhale"))
    return made


def _by_administrator(w: World, case: Case) -> object:
    name = username(OWN, 0) if case.asks == "owner" else "administrator-all"
    return case.call(w, ADMIN._replace(username=name), OWN)


def _wrongly_done(world: World, acts: Acts) -> list[str]:
    """Return the use cases that do something without an event; each is then done once with one."""
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
    """While a trigger raises on each new event."""

    def test_no_use_case_with_an_actor_changes_anything(self, world: World):
        """The actor has every permission. The trail stays as it was."""
        acts = {case.name: partial(_by_administrator, case=case) for case in RECORDING}
        assert _wrongly_done(world, acts) == []

    def test_no_use_case_without_an_actor_changes_anything(self, world: World):
        """Commands, imports, sign-ins and sign-outs."""
        assert _wrongly_done(world, OTHERS) == []

    def test_no_first_administrator_is_appointed(self, world: World):
        """There is no account and no grant."""
        change(world.engine, "DELETE FROM role_grant WHERE role = 'administrator'")
        assert _wrongly_done(world, {"grants.appoint_first": _appoint}) == []

    def test_every_use_case_with_a_unit_of_work_is_covered(self):
        """A new use case must be added here, or be among those that write nothing."""
        covered = {case.name.partition(" ")[0] for case in RECORDING} | set(OTHERS)
        covered |= {"grants.appoint_first"}
        assert taking(UnitOfWork) - covered - READING - ALONE - WITHIN - set(PARTS) == set()

    def test_no_demo_data_is_written(self, engine):
        """The database stays empty."""
        before = rows(engine, audit=True)
        with raising(engine), pytest.raises(AuditNotWrittenError):
            fill_demo(unit_of_work(engine), MINTING)
        assert rows(engine, audit=True) == before


class TestRefusals:
    """A refusal is still raised when it cannot be recorded."""

    def test_a_refusal_that_cannot_be_recorded_is_raised_and_logged(self, world, caplog):
        """The log has the kind of the error only."""
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

    def test_a_refused_page_that_cannot_be_recorded_raises_nothing(self, world, caplog):
        """The page is not shown in any case."""
        with raising(world.engine), caplog.at_level(logging.ERROR):
            sign_in_sessions.record_page_refusal(world.unit_of_work, ADMIN, Permission.ACCESS, "")
        assert "a refusal was not recorded: AuditUnwritten" in caplog.text


class TestFiles:
    """A download needs its event."""

    def test_an_export_without_its_event_gives_no_file_and_no_token(self, engine):
        """No secret is kept either. The error is kept for the page."""
        ids = build(engine, 3)
        planned, one_time_secrets = plan(engine, Action.GENERATE, ids), OneTimeSecrets()
        key = SecretKey("session", ADMIN.username, planned.operation_id)
        delivered = MintingDownload(
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

    def test_a_download_without_its_event_is_not_made(self, world):
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
    """Steps of users without a role."""

    def test_a_first_use_without_its_event_leaves_the_token_pending(self, engine):
        """The token works. It is accepted when the event can be written."""
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

    def test_an_accept_without_its_event_returns_no_token(self, world):
        """Accepting a request raises."""
        pending = world.places[OWN].pending
        actor = ADMIN._replace(username=username(OWN, 0))
        with raising(world.engine), pytest.raises(AuditNotWrittenError):
            own_tokens.accept(world.unit_of_work, actor, pending, MINTING)
        assert own_tokens.accept(world.unit_of_work, actor, pending, MINTING).startswith("demo_")
