"""No event, no effect: while the audit trail takes nothing, nobody can do anything."""

import contextlib
import logging
import sys
from collections.abc import Callable
from functools import partial

import pytest

from lib.demo import fill_demo
from lib.domain.clock import HOUR, MINUTE, SECOND
from lib.domain.errors import AuditUnwritten, NotAllowed
from lib.domain.roles import Grant, Permission, Role
from lib.domain.rows import FoundToken
from lib.domain.states import Action, Holding
from lib.operations import (
    credentials,
    exports,
    grants,
    own_tokens,
    recall,
    revocation,
    sign_ins,
)
from lib.operations.delivery import Delivery
from lib.operations.exports import NoFile
from lib.operations.import_directory import import_directory
from lib.operations.import_rows import parse
from lib.operations.ledger import Ledger
from lib.operations.sign_ins import Arrival, Limits
from lib.operations.uses import Uses
from lib.operations.vault import Vault, VaultKey
from tests.directory import ADMIN, MINTING, ORG, SERVICE, build, clock, ledger
from tests.operations.acting import LATER, change, give, plan, select
from tests.operations.test_permissions import copied, taking
from tests.operations.use_cases import (
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
LIMITS = Limits(30 * MINUTE, 12 * HOUR)
RECORDING = [case for case in CASES if case.writes or case.of.__module__.endswith("exports")]
USERS = b"username,name,email,organization_id,status\nnew,New Person,,,active\n"


def _arrival(name: str) -> Arrival:
    return Arrival({"sub": name, "iat": LATER // SECOND}, "192.0.2.9")


def _appoint(w: World) -> None:
    grants.appoint_first(w.ledger, ["newcomer@example.com"])


def _leave(w: World) -> None:
    sign_ins.leave(w.ledger, _arrival("mhale"))


def _end_leaked(w: World) -> bool:
    (leaked,) = w.places[OWN].recall.leaked
    found = FoundToken(
        *(leaked.organization_id, leaked.service_id, leaked.token_id, leaked.member_id),
        *(leaked.username, leaked.state, 0, None),
        active=True,
    )
    return revocation.end(w.ledger, found, "192.0.2.9", "its holder")


#: What writes and takes no actor, by the use case's name.
OTHERS: Acts = {
    "grants.grant_by_command": lambda w: grants.grant_by_command(w.ledger, "mhale", SUPPORT),
    "grants.revoke_by_command": lambda w: grants.revoke_by_command(
        w.ledger, username(OWN, 4), [Grant(Role.SUPPORT, OWN)]
    ),
    "credentials.create_by_command": lambda w: credentials.create_by_command(
        w.ledger, SERVICE, MINTING
    ),
    "credentials.end_by_command": lambda w: credentials.end_by_command(w.ledger, w.client_id),
    "recall.end_by_command": lambda w: recall.end_by_command(
        w.ledger,
        recall.look_up_by_command(w.ledger, w.places[OWN].leaked, MINTING, whole=False),
    ),
    "revocation.end": _end_leaked,
    "import_directory.import_directory": lambda w: import_directory(
        w.ledger, {"users": parse("users", USERS)}
    ),
    "sign_ins.stay": lambda w: sign_ins.stay(w.ledger, LIMITS, "sub", _arrival("support-all")),
    "sign_ins.leave": _leave,
    "sign_ins.arrive_by_proxy": lambda w: sign_ins.arrive_by_proxy(w.ledger, "mhale", "192.0.2.9"),
}
#: What is given a ledger and writes nothing but a refusal.
READING = {
    "actions.plan_action",
    "off_boarding.plan_off_boarding",
    "recall.look_up",
    "recall.look_up_by_command",
    "recall.widen",
    "sign_ins.standing",
    "sign_ins.username_of",
    "sign_ins.find_by_proxy",
    "actions.needs_approval",
    "sign_ins.refuse_page",
}
#: What is tested by itself, further down.
ALONE = {"delivery.Delivery", "uses.Uses", "checking.Checker"}
#: Parts of the above, inside their transaction.
WITHIN = {"actions.perform", "actions.needs_approval_within", "batches.perform_all"}


@pytest.fixture
def world(engine):
    """Both organizations with everything in them, and somebody signed in."""
    made = build_world(engine)
    add_people(engine)
    sign_ins.stay(made.ledger, LIMITS, "sub", _arrival("mhale"))
    return made


def _by_administrator(w: World, case: Case) -> object:
    name = username(OWN, 0) if case.asks == "owner" else "administrator-all"
    return case.call(w, ADMIN._replace(username=name), OWN)


def _unlike(world: World, acts: Acts) -> list[str]:
    """Return what is done without an event, or changes something; each is done once with one."""
    before, wrong = rows(world.engine, audit=True), []
    for name, do in acts.items():
        with raising(world.engine), contextlib.suppress(AuditUnwritten, NoFile):
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
        assert taking(Ledger) - covered - READING - ALONE - WITHIN - set(PARTS) == set()

    def test_demo_data(self, engine):
        """The database stays empty."""
        before = rows(engine, audit=True)
        with raising(engine), pytest.raises(AuditUnwritten):
            fill_demo(ledger(engine), MINTING)
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
            pytest.raises(NotAllowed),
        ):
            grants.grant(world.ledger, nobody, "mhale", SUPPORT)
        assert rows(world.engine, audit=True) == before
        assert "a refusal was not recorded: AuditUnwritten" in caplog.text

    def test_a_page_that_is_refused(self, world, caplog):
        """Nothing is raised: the page is not shown anyway."""
        with raising(world.engine), caplog.at_level(logging.ERROR):
            sign_ins.refuse_page(world.ledger, ADMIN, Permission.ACCESS, "")
        assert "a refusal was not recorded: AuditUnwritten" in caplog.text


class TestFiles:
    """Nothing leaves that is not recorded."""

    def test_the_click_that_mints(self, engine):
        """No file, no token, nothing in the vault; the error is kept for the page."""
        ids = build(engine, 3)
        planned, vault = plan(engine, Action.GENERATE, ids), Vault()
        key = VaultKey("session", ADMIN.username, planned.operation_id)
        delivered = Delivery(
            ledger(engine, clock), MINTING, vault, key, ADMIN, planned, lambda: True
        )
        with raising(engine), pytest.raises(NoFile):
            delivered()
        assert isinstance(delivered.error, AuditUnwritten)
        assert vault.get(key) is None
        assert select(engine, "SELECT count(*) FROM token") == [(0,)]

    def test_what_a_download_makes_is_not_made(self, world):
        """The event comes first."""
        made = []
        give_it = exports.recorded(
            world.ledger, ADMIN, Permission.EXPORT, "f.csv", lambda: made.append(1) or b"f"
        )
        with raising(world.engine), pytest.raises(NoFile):
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
        uses = Uses(ledger(engine))
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
        with raising(world.engine), pytest.raises(AuditUnwritten):
            own_tokens.accept(world.ledger, actor, pending, MINTING)
        assert own_tokens.accept(world.ledger, actor, pending, MINTING).startswith("demo_")
