"""The audit events of each use case, column by column, on both engines."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.audit import GLOBAL_CHAIN, LONGEST_REASON, Event, EventAction, recorded
from lib.domain.errors import DeskError
from lib.domain.roles import Grant, Permission, Role
from lib.domain.states import Action, Holding
from lib.operations import approvals, audited_download, grants, own_tokens
from lib.operations.actions import execute, plan_action
from lib.operations.audit import verify
from lib.operations.audited_download import DownloadNotRecordedError
from lib.operations.imports.import_directory import import_directory
from lib.operations.imports.parse import parse
from tests.support.actions import LATER, OTHER_ADMIN, add_administrator, give, later, plan, select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, clock, unit_of_work

COLUMNS = ", ".join(Event._fields)
HERE = "192.0.2.7"
NOBODY = Actor("nobody", "Nobody", ADMIN.grants, HERE)


def events(engine: Engine, do: Callable[[], object]) -> list[Event]:
    """Return what `do` adds to the trail, by chain and number. A refusal is ignored."""
    before = stored(engine)
    with suppress(DeskError, DownloadNotRecordedError):
        do()
    after = stored(engine)
    assert verify(engine, unit_of_work(engine).keyring).bad == ()
    return [row for row in after if row not in before]


def stored(engine: Engine) -> list[Event]:
    """Return every event as it was before it got its hash."""
    rows = select(engine, f"SELECT {COLUMNS} FROM audit_event ORDER BY organization_id, number")
    return [Event(recorded(row[0]), *row[1:]) for row in rows]


class TestActions:
    """The four actions."""

    @pytest.mark.parametrize("action", Action)
    def test_an_action_is_recorded_with_all_columns(self, engine, action):
        """Actor, address, action, place, number of users and reason."""
        ids = build(engine, 3)
        give(engine, ids[0], Holding.BOTH)
        planned = plan(engine, action, ids)
        found = events(
            engine,
            lambda: execute(
                unit_of_work(engine, later), ADMIN, planned, MINTING, reason=" Ticket\n4711\u202e "
            ),
        )
        assert found == [
            Event(
                action,
                "mhale",
                HERE,
                ORG,
                SERVICE,
                planned.operation_id,
                users=planned.preview.changed,
                users_digest=planned.digest,
                reason="Ticket 4711",
                detail=planned.csv_name if action is Action.GENERATE else "",
            )
        ]
        assert select(engine, "SELECT happened_at FROM audit_event") == [(LATER,)]

    def test_a_second_call_writes_no_event(self, engine):
        """The operation is recorded once."""
        planned = plan(engine, Action.REQUEST, build(engine, 1))
        act = lambda: execute(unit_of_work(engine), ADMIN, planned, MINTING)  # noqa: E731
        assert len(events(engine, act)) == 1
        assert events(engine, act) == []

    def test_a_long_reason_is_cut(self, engine):
        """One event cannot fill the trail."""
        planned = plan(engine, Action.REQUEST, build(engine, 1))
        (found,) = events(
            engine,
            lambda: execute(unit_of_work(engine), ADMIN, planned, MINTING, reason="x" * 10_000),
        )
        assert found.reason == "x" * LONGEST_REASON

    def test_a_refused_plan_is_recorded(self, engine):
        """Before anything is planned."""
        ids = build(engine, 3)
        found = events(
            engine,
            lambda: plan_action(unit_of_work(engine), NOBODY, Action.REMOVE, ORG, SERVICE, ids),
        )
        assert found == [
            Event(
                EventAction.REFUSAL,
                "nobody",
                HERE,
                ORG,
                SERVICE,
                users=3,
                detail="remove: NotAllowed",
            )
        ]

    @pytest.mark.parametrize(
        ("actor", "again", "why"),
        [(NOBODY, False, "NotAllowed"), (ADMIN, True, "PlanOutdated")],
    )
    def test_a_refused_confirmation_is_recorded(self, engine, actor, again, why):
        """The wrong person, or an outdated plan."""
        ids = build(engine, 2)
        planned = plan(engine, Action.REQUEST, ids)
        if again:
            give(engine, ids[0], Holding.PENDING)
        found = events(engine, lambda: execute(unit_of_work(engine), actor, planned, MINTING))
        assert found == [
            Event(
                EventAction.REFUSAL,
                actor.username,
                HERE,
                ORG,
                SERVICE,
                planned.operation_id,
                users=2,
                users_digest=planned.digest,
                detail=f"request: {why}",
            )
        ]


class TestOwnSteps:
    """Accept and decline."""

    @pytest.mark.parametrize("step", ["accept", "decline"])
    def test_accept_and_decline_are_recorded(self, engine, step):
        """The user is both actor and subject."""
        (member,) = build(engine, 1)
        give(engine, member, Holding.PENDING)
        actor = Actor("utcjf1-u0", "", address=HERE)
        (pending,) = own_tokens.list_own(engine, clock, actor)
        do = {
            "accept": lambda: own_tokens.accept(unit_of_work(engine), actor, pending, MINTING),
            "decline": lambda: own_tokens.decline(unit_of_work(engine), actor, pending),
        }[step]
        wanted = Event(step, actor.username, HERE, ORG, SERVICE, subject="utcjf1-u0", users=1)
        assert events(engine, do) == [wanted]
        refused = wanted._replace(action=EventAction.REFUSAL, detail=f"{step}: TokenGone")
        assert events(engine, do) == [refused]


class TestApprovals:
    """Four eyes."""

    @pytest.mark.parametrize(("approve", "action"), [(True, "approve"), (False, "reject")])
    def test_a_request_and_its_answer_are_recorded(self, engine, approve, action):
        """The answer names the requester and has the same plan digest."""
        add_administrator(engine)
        planned = plan(engine, Action.GENERATE, build(engine, 2))
        book = unit_of_work(engine, four_eyes=1)
        asked = Event(
            EventAction.ASK_APPROVAL,
            "mhale",
            HERE,
            ORG,
            SERVICE,
            planned.operation_id,
            users=2,
            users_digest=planned.digest,
            reason="Why",
        )
        assert events(engine, lambda: approvals.request(book, ADMIN, planned, reason="Why")) == [
            asked
        ]
        answer = lambda actor: approvals.answer(  # noqa: E731
            book, actor, ORG, planned.operation_id, approve=approve
        )
        (own,) = events(engine, lambda: answer(ADMIN))
        assert (own.action, own.detail) == (EventAction.REFUSAL, f"{action}: OwnApproval")
        assert events(engine, lambda: answer(OTHER_ADMIN)) == [
            asked._replace(
                action=recorded(action),
                actor=OTHER_ADMIN.username,
                address="",
                subject="mhale",
                reason="",
            )
        ]

    def test_an_attempt_without_approval_is_recorded(self, engine):
        """Nothing is minted."""
        planned = plan(engine, Action.GENERATE, build(engine, 2))
        (found,) = events(
            engine, lambda: execute(unit_of_work(engine, four_eyes=1), ADMIN, planned, MINTING)
        )
        assert found.detail == "generate: ApprovalMissing"


class TestGrants:
    """Grant and revoke."""

    def test_grants_are_recorded_in_the_chain_of_each_organization(self, engine):
        """One call writes an event for each grant."""
        build(engine, 1)
        build(engine, 0, organization_id="UTTAN1")
        wanted = [Grant(Role.SUPPORT, place) for place in ("UTTAN1", None, ORG)]
        granted = Event(
            EventAction.GRANT,
            "mhale",
            HERE,
            subject="utcjf1-u0",
            users=1,
            detail="support",
        )
        every = [granted._replace(organization_id=place) for place in (GLOBAL_CHAIN, ORG, "UTTAN1")]
        act = lambda use_case: use_case(unit_of_work(engine), ADMIN, "utcjf1-u0", wanted)  # noqa: E731
        assert events(engine, lambda: act(grants.grant)) == every
        assert events(engine, lambda: act(grants.grant)) == []
        gone = [event._replace(action=EventAction.REVOKE) for event in every]
        assert events(engine, lambda: act(grants.revoke)) == gone
        assert events(engine, lambda: act(grants.revoke)) == []

    @pytest.mark.parametrize(
        ("actor", "username", "role", "why"),
        [
            (NOBODY, "utcjf1-u0", Role.SUPPORT, "grant: NotAllowed"),
            (ADMIN, "who", Role.SUPPORT, "grant: UnknownPerson"),
        ],
    )
    def test_a_refused_grant_is_recorded(self, engine, actor, username, role, why):
        """In the organization's chain; in the global one when it is about several."""
        build(engine, 1)
        one = [Grant(role, ORG)]
        refused = Event(
            EventAction.REFUSAL,
            actor.username,
            HERE,
            ORG,
            subject=username,
            users=1,
            detail=why,
        )
        grant = lambda wanted: grants.grant(unit_of_work(engine), actor, username, wanted)  # noqa: E731
        assert events(engine, lambda: grant(one)) == [refused]
        assert events(engine, lambda: grant([*one, Grant(role)])) == [
            refused._replace(organization_id=GLOBAL_CHAIN)
        ]

    def test_a_refused_revoke_of_the_last_administrator_is_recorded(self, engine):
        """In the global chain."""
        build(engine, 0)
        found = events(
            engine,
            lambda: grants.revoke(
                unit_of_work(engine), ADMIN, "mhale", [Grant(Role.ADMINISTRATOR)]
            ),
        )
        assert [event.detail for event in found] == ["revoke: LastAdministrator"]

    def test_a_grant_by_command_is_recorded_without_username(self, engine):
        """The address says that it was the command line."""
        build(engine, 1)
        (found,) = events(
            engine,
            lambda: grants.grant_by_command(
                unit_of_work(engine), "utcjf1-u0", [Grant(Role.ANALYST, ORG)]
            ),
        )
        assert found[:4] == (EventAction.GRANT, "", "command line", ORG)


class TestFiles:
    """Imports and downloads."""

    def test_an_import_is_recorded(self, engine):
        """With the number of rows of each file, and of users."""
        users = b"username,name,email,organization_id,status\na,A,,,active\nb,B,,,active\n"
        services = b"service,name\nplats,Plats\n"
        files = {"users": parse("users", users), "services": parse("services", services)}
        assert events(engine, lambda: import_directory(unit_of_work(engine), files)) == [
            Event(
                EventAction.IMPORT,
                "",
                "command line",
                users=2,
                detail="services 1, users 2",
            )
        ]

    def test_a_download_is_recorded(self, engine):
        """Of one organization, and of all that the actor may see."""
        build(engine, 1)
        taken = Event(EventAction.DOWNLOAD, "mhale", HERE, users=0, detail="f.csv")
        record = audited_download.record_download
        assert events(
            engine, lambda: record(unit_of_work(engine), ADMIN, Permission.EXPORT, "f.csv")
        ) == [taken]
        place = {"organization_id": ORG, "service_id": SERVICE, "operation_id": "7", "users": 3}
        assert events(
            engine, lambda: record(unit_of_work(engine), ADMIN, Permission.EXPORT, "f.csv", **place)
        ) == [taken._replace(**place)]

    def test_a_refused_download_is_recorded(self, engine):
        """With the actor who tried. There is no file."""
        build(engine, 1)
        give_it = audited_download.audited_download(
            unit_of_work(engine), NOBODY, Permission.EXPORT, "f.csv", bytes, organization_id=ORG
        )
        assert events(engine, give_it) == [
            Event(EventAction.REFUSAL, "nobody", HERE, ORG, detail="download: NotAllowed")
        ]
