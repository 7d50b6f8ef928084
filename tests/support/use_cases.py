"""Every use case with an actor, and the permission that it needs: rows of the matrix.

A call is made in a world of two organizations with users, tokens, operations, grants and approvals
in both; `place` is the organization that it is about.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.activity import ActivityFilter, Group, OperationFacts
from lib.domain.errors import NotAllowedError, TokenNotPendingError
from lib.domain.ids import new_id
from lib.domain.plan import Plan
from lib.domain.roles import Grant, Permission, Role
from lib.domain.states import Action, Holding
from lib.domain.token_format import hint
from lib.domain.tokens import OwnToken
from lib.domain.undo_plan import UndoPlan
from lib.domain.worries import WORRIES, PeopleOfPlace, SavedView, View, default_view
from lib.operations import (
    actions,
    activity,
    approvals,
    audited_download,
    credentials,
    directory,
    grants,
    off_boarding,
    own_tokens,
    policies,
    recall,
    results,
    token_list,
    undo,
    users,
    worries,
)
from lib.operations.leak_reader.reader import pasted
from lib.operations.off_boarding import OffBoarding
from lib.operations.recall import Recall
from lib.operations.unit_of_work import UnitOfWork
from lib.store import tables
from lib.store.engine import reading, writing
from tests.support.actions import act, change, exported, give, later, select
from tests.support.directory import (
    ADMIN,
    ADMINISTRATOR,
    MINTING,
    SERVICE,
    add_staff,
    build,
    clock,
    unit_of_work,
)

OWN, OTHER = "UTCJF1", "UTTAN1"
PLACES = (OWN, OTHER)
REST_ONLY = "rest-only.csv"  # in an event that belongs to no organization
EVERYTHING = ActivityFilter(Group.EVERYTHING)
UNTOUCHED = {"audit_event", "audit_head"}  # a refusal writes there, and nowhere else


@dataclass(frozen=True)
class Place:
    """The contents of one organization."""

    ids: list[str]
    plans: dict[Action, Plan]
    operation: OperationFacts
    asked: str
    off_boarding: OffBoarding
    pending: OwnToken
    leaked: str
    recall: Recall


@dataclass(frozen=True)
class World:
    """A database with both organizations; `places` has their contents."""

    engine: Engine
    places: dict[str, Place]
    client_id: str

    @property
    def unit_of_work(self) -> UnitOfWork:
        """The unit of work of this database, a minute later."""
        return unit_of_work(self.engine, later)

    def on(self, engine: Engine) -> "World":
        """Return the same world in a copy of the database."""
        return replace(self, engine=engine)


def build_world(engine: Engine) -> World:
    """Fill an empty database."""
    places = {organization_id: _place(engine, organization_id) for organization_id in PLACES}
    credential = credentials.create(unit_of_work(engine), ADMIN, SERVICE, MINTING)
    audited_download.record_download(unit_of_work(engine), ADMIN, Permission.EXPORT, REST_ONLY)
    return World(engine, places, credential.client_id)


def _place(engine: Engine, organization_id: str) -> Place:
    """An organization whose users have: a request, both, a token, nothing, nothing."""
    ids = build(engine, 5, organization_id=organization_id)
    at = {"organization_id": organization_id}
    give(engine, ids[0], Holding.PENDING, origin="request", digest=None, hint=None, **at)
    give(engine, ids[1], Holding.BOTH, **at)
    give(engine, ids[2], Holding.ACCEPTED, **at)
    done, _ = act(engine, Action.REQUEST, ids[3:4], **at)
    _, generated = act(engine, Action.GENERATE, ids[4:], **at)
    (leaked,) = exported(generated)
    asked = _plan(engine, Action.GENERATE, organization_id, ids[2:])
    approvals.request(unit_of_work(engine), ADMIN, asked)
    grants.grant(
        unit_of_work(engine), ADMIN, username(organization_id, 4), [_support(organization_id)]
    )
    found = activity.open_operation(engine, clock, ADMIN, organization_id, done.operation_id)
    owner = Actor(username(organization_id, 0), "")
    return Place(
        ids,
        {action: _plan(engine, action, organization_id, ids[:3]) for action in Action},
        found.done,
        asked.operation_id,
        off_boarding.plan_off_boarding(unit_of_work(engine), ADMIN, username(organization_id, 1)),
        own_tokens.list_own(engine, clock, owner)[0],
        leaked,
        recall.look_up(unit_of_work(engine), ADMIN, [pasted(leaked)], MINTING),
    )


def _plan(engine: Engine, action: Action, organization_id: str, ids: list[str]) -> Plan:
    return actions.plan_action(unit_of_work(engine), ADMIN, action, organization_id, SERVICE, ids)


def username(organization_id: str, number: int) -> str:
    """Return the username of a user of one of the organizations."""
    return f"{organization_id.lower()}-u{number}"


def _support(organization_id: str) -> Grant:
    return Grant(Role.SUPPORT, organization_id)


@contextmanager
def raising(engine: Engine) -> Iterator[None]:
    """While the context is open, a trigger refuses every event."""
    if engine.dialect.name == "sqlite":
        make = (
            (
                "CREATE TRIGGER full BEFORE INSERT ON audit_event"
                " BEGIN SELECT RAISE(ABORT, 'no room'); END"
            ),
        )
        drop = ("DROP TRIGGER full",)
    else:
        make = (
            (
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'no room'; END $$"
            ),
            (
                "CREATE TRIGGER no_room BEFORE INSERT ON audit_event"
                " FOR EACH ROW EXECUTE FUNCTION no_room()"
            ),
        )
        drop = ("DROP TRIGGER no_room ON audit_event", "DROP FUNCTION no_room")
    for statement in make:
        change(engine, statement)
    try:
        yield
    finally:
        for statement in drop:
            change(engine, statement)


def rows(engine: Engine, *, audit: bool = False) -> dict[str, list[str]]:
    """Return every row of every table, without the audit trail by default."""
    names = {table.name for table in tables.metadata.sorted_tables}
    return {
        name: sorted(str(row) for row in select(engine, f"SELECT * FROM {name}"))
        for name in sorted(names if audit else names - UNTOUCHED)
    }


Call = Callable[[World, Actor, str], Any]


class Case(NamedTuple):
    """One use case. `asks` says for which organizations it needs the permission.

    place: the organization. everywhere: all organizations. somewhere: any, and the answer names no
    other. person: an organization of the person it is about, who is unknown otherwise. nothing:
    everybody, about themselves. owner: the token's own user.
    """

    of: Callable[..., Any]
    call: Call
    permission: Permission | None
    asks: str = "place"
    writes: bool = False
    kind: str = ""
    refusals: tuple[type[Exception], ...] = (NotAllowedError,)

    @property
    def name(self) -> str:
        """Return a name such as `actions.execute generate`."""
        module = self.of.__module__.removeprefix("lib.operations.")
        return f"{module}.{self.of.__name__} {self.kind}".strip()


def _by(plan: Plan, actor: Actor) -> Plan:
    return replace(plan, actor=actor.username)


def _planning(action: Action) -> Call:
    return lambda w, a, p: actions.plan_action(
        w.unit_of_work, a, action, p, SERVICE, w.places[p].ids
    )


def _carrying_out(action: Action) -> Call:
    return lambda w, a, p: actions.execute(
        w.unit_of_work, a, _by(w.places[p].plans[action], a), MINTING
    )


def _answering(*, approve: bool) -> Call:
    return lambda w, a, p: approvals.answer(
        w.unit_of_work, a, p, w.places[p].asked, approve=approve
    )


def _granting(use_case: Callable[..., Any], number: int, *, everywhere: bool = False) -> Call:
    return lambda w, a, p: use_case(
        w.unit_of_work, a, username(p, number), [Grant(Role.SUPPORT, None if everywhere else p)]
    )


def _off_boarding(w: World, a: Actor, p: str) -> Any:
    planned = w.places[p].off_boarding
    plans = tuple(_by(plan, a) for plan in planned.plans)
    return off_boarding.off_board(
        w.unit_of_work, a, replace(planned, actor=a.username, plans=plans)
    )


def _recalling(w: World, a: Actor, p: str) -> Any:
    found = w.places[p].recall
    plans = tuple(_by(plan, a) for plan in found.plans)
    return recall.end(w.unit_of_work, a, replace(found, actor=a.username, plans=plans))


def _planning_undo(w: World, a: Actor, p: str) -> UndoPlan:
    return undo.plan_undo(w.unit_of_work, a, p, w.places[p].operation.operation_id)


def _undoing(w: World, a: Actor, p: str) -> Any:
    return undo.undo(w.unit_of_work, a, replace(_planning_undo(w, ADMIN, p), actor=a.username))


def _downloading(*, rest: bool = False) -> Call:
    return lambda w, a, p: audited_download.record_download(
        w.unit_of_work, a, Permission.EXPORT, "f.csv", organization_id="" if rest else p
    )


def _fetching(w: World, a: Actor, p: str) -> Any:
    make = audited_download.audited_download(
        w.unit_of_work, a, Permission.EXPORT, "f.csv", lambda: b"rows", organization_id=p
    )
    return make()


def _fetching_results(w: World, a: Actor, p: str) -> Any:
    return results.results_download(w.unit_of_work, a, w.places[p].operation, 1)()


_LISTED = {"order": "name", "offset": 0, "limit": 25}
_P = Permission

CASES = [
    Case(directory.states, lambda w, a, _: directory.states(w.engine, a), _P.READ, "somewhere"),
    Case(
        directory.organization_names,
        lambda w, a, _: directory.organization_names(w.engine, a),
        _P.READ,
        "somewhere",
    ),
    Case(
        directory.list_organizations,
        lambda w, a, _: directory.list_organizations(
            w.engine, clock, a, directory.OrganizationFilter("", "", "", "", ""), **_LISTED
        ),
        _P.READ,
        "somewhere",
    ),
    Case(
        directory.open_organization,
        lambda w, a, p: directory.open_organization(w.engine, a, p),
        _P.READ,
    ),
    Case(
        directory.read_coverage,
        lambda w, a, _: directory.read_coverage(w.engine, clock, a),
        _P.COVERAGE,
        "somewhere",
    ),
    Case(
        directory.read_organization_coverage,
        lambda w, a, p: directory.read_organization_coverage(w.engine, clock, a, p),
        _P.READ,
    ),
    Case(
        worries.count_worries,
        lambda w, a, _: worries.count_worries(w.engine, clock, a),
        _P.COVERAGE,
        "somewhere",
    ),
    Case(
        worries.count_people,
        lambda w, a, _: [
            worries.count_people(w.engine, clock, a, default_view(view)) for view in WORRIES
        ],
        _P.COVERAGE,
        "somewhere",
    ),
    Case(
        worries.list_people,
        lambda w, a, p: worries.list_people(
            w.engine, clock, a, SavedView(View.USERS), [PeopleOfPlace(p, p, SERVICE, "", 9)], 0, 9
        ),
        _P.COVERAGE,
    ),
    Case(
        worries.member_ids,
        lambda w, a, p: worries.member_ids(w.engine, clock, a, SavedView(View.USERS), p, SERVICE),
        _P.COVERAGE,
    ),
    Case(
        token_list.read_revision,
        lambda w, a, p: token_list.read_revision(w.engine, a, p, SERVICE),
        _P.READ,
    ),
    Case(
        token_list.match_users,
        lambda w, a, p: token_list.match_users(w.engine, clock, a, p, SERVICE, "", "any"),
        _P.READ,
    ),
    Case(token_list.count_users, lambda w, a, p: token_list.count_users(w.engine, a, p), _P.READ),
    Case(
        token_list.read_rows,
        lambda w, a, p: token_list.read_rows(
            w.engine, clock, a, p, SERVICE, [*w.places[OWN].ids, *w.places[OTHER].ids]
        ),
        _P.READ,
    ),
    Case(
        token_list.affected_users,
        lambda w, a, p: token_list.affected_users(
            w.engine, clock, a, w.places[p].plans[Action.REQUEST], "", 10
        ),
        _P.READ,
    ),
    *(
        Case(actions.plan_action, _planning(action), _P(action.value), kind=action.value)
        for action in Action
    ),
    *(
        Case(
            actions.execute,
            _carrying_out(action),
            _P(action.value),
            writes=True,
            kind=action.value,
        )
        for action in Action
    ),
    Case(
        results.read_results,
        lambda w, a, p: results.read_results(w.engine, a, p, w.places[p].operation.operation_id),
        _P.EXPORT,
    ),
    Case(
        approvals.request,
        lambda w, a, p: approvals.request(
            w.unit_of_work,
            a,
            _by(replace(w.places[p].plans[Action.GENERATE], operation_id=new_id(0)), a),
        ),
        _P.GENERATE,
        writes=True,
    ),
    Case(approvals.answer, _answering(approve=True), _P.APPROVE, writes=True, kind="approve"),
    Case(approvals.answer, _answering(approve=False), _P.APPROVE, writes=True, kind="reject"),
    Case(
        grants.list_grants, lambda w, a, _: grants.list_grants(w.engine, a), _P.ACCESS, "somewhere"
    ),
    Case(grants.grant, _granting(grants.grant, 3), _P.ACCESS, writes=True),
    Case(
        grants.grant,
        _granting(grants.grant, 3, everywhere=True),
        _P.ACCESS,
        "everywhere",
        writes=True,
        kind="everywhere",
    ),
    Case(grants.revoke, _granting(grants.revoke, 4), _P.ACCESS, writes=True),
    Case(
        grants.revoke,
        _granting(grants.revoke, 4, everywhere=True),
        _P.ACCESS,
        "everywhere",
        kind="everywhere",
    ),
    Case(audited_download.record_download, _downloading(), _P.EXPORT),
    Case(
        audited_download.record_download,
        _downloading(rest=True),
        _P.EXPORT,
        "somewhere",
        kind="rest",
    ),
    Case(
        audited_download.audited_download,
        _fetching,
        _P.EXPORT,
        refusals=(audited_download.DownloadNotRecordedError,),
    ),
    Case(
        results.results_download,
        _fetching_results,
        _P.EXPORT,
        refusals=(audited_download.DownloadNotRecordedError,),
    ),
    Case(
        activity.list_events,
        lambda w, a, _: activity.list_events(w.engine, a, EVERYTHING, limit=500),
        _P.ACTIVITY,
        "somewhere",
    ),
    Case(
        activity.export_events,
        lambda w, a, _: list(activity.export_events(w.engine, a, EVERYTHING)),
        _P.EXPORT,
        "somewhere",
    ),
    Case(
        users.find_people,
        lambda w, a, p: users.find_people(w.engine, a, username(p, 1), 50),
        _P.ACTIVITY,
        "somewhere",
        kind="by username",
    ),
    Case(
        users.find_people,
        lambda w, a, _: users.find_people(w.engine, a, "user", 50),
        _P.ACTIVITY,
        "somewhere",
        kind="by name",
    ),
    Case(
        activity.open_approvals,
        lambda w, a, _: activity.open_approvals(w.engine, clock, a),
        _P.ACTIVITY,
        "somewhere",
    ),
    Case(
        activity.open_operation,
        lambda w, a, p: activity.open_operation(
            w.engine, clock, a, p, w.places[p].operation.operation_id
        ),
        _P.ACTIVITY,
    ),
    Case(
        activity.list_results,
        lambda w, a, p: activity.list_results(
            w.engine, a, w.places[p].operation, "", ("", ""), limit=50
        ),
        _P.ACTIVITY,
    ),
    Case(
        users.search,
        lambda w, a, p: users.search(w.engine, clock, a, username(p, 1), MINTING.prefix, 50),
        _P.READ,
        "somewhere",
        kind="by username",
    ),
    Case(
        users.search,
        lambda w, a, _: users.search(w.engine, clock, a, "user", MINTING.prefix, 50),
        _P.READ,
        "somewhere",
        kind="by name",
    ),
    Case(
        users.search,
        lambda w, a, p: users.search(
            w.engine, clock, a, w.places[p].operation.operation_id, MINTING.prefix, 50
        ),
        _P.READ,
        "somewhere",
        kind="operation",
    ),
    Case(
        users.search,
        lambda w, a, p: users.search(
            w.engine, clock, a, hint(w.places[p].leaked), MINTING.prefix, 50
        ),
        _P.READ,
        "somewhere",
        kind="token",
    ),
    Case(
        users.directory_size,
        lambda w, a, _: users.directory_size(w.engine, a),
        _P.READ,
        "somewhere",
    ),
    Case(
        users.open_person,
        lambda w, a, p: users.open_person(w.engine, clock, a, username(p, 1)),
        _P.READ,
        "person",
    ),
    Case(
        users.list_ended_tokens,
        lambda w, a, p: users.list_ended_tokens(w.engine, clock, a, username(p, 1), limit=50),
        _P.READ,
        "somewhere",
    ),
    Case(
        off_boarding.plan_off_boarding,
        lambda w, a, p: off_boarding.plan_off_boarding(w.unit_of_work, a, username(p, 1)),
        _P.OFF_BOARD,
        "person",
    ),
    Case(off_boarding.off_board, _off_boarding, _P.OFF_BOARD, writes=True),
    Case(
        recall.look_up,
        lambda w, a, _: recall.look_up(
            w.unit_of_work, a, [pasted(w.places[p].leaked) for p in PLACES], MINTING
        ),
        _P.RECALL,
        "somewhere",
    ),
    Case(
        recall.widen,
        lambda w, a, p: recall.widen(w.unit_of_work, a, w.places[p].recall),
        _P.RECALL,
    ),
    Case(recall.end, _recalling, _P.RECALL, writes=True),
    Case(undo.plan_undo, _planning_undo, _P.REQUEST),
    Case(undo.undo, _undoing, _P.REQUEST, writes=True),
    Case(
        undo.read_undo_state,
        lambda w, a, p: undo.read_undo_state(
            w.unit_of_work, a, p, w.places[p].operation.operation_id
        ),
        _P.ACTIVITY,
    ),
    Case(
        own_tokens.list_own,
        lambda w, a, _: own_tokens.list_own(w.engine, clock, a),
        None,
        "nothing",
    ),
    Case(
        own_tokens.accept,
        lambda w, a, p: own_tokens.accept(w.unit_of_work, a, w.places[p].pending, MINTING),
        None,
        "owner",
        writes=True,
        refusals=(TokenNotPendingError,),
    ),
    Case(
        own_tokens.decline,
        lambda w, a, p: own_tokens.decline(w.unit_of_work, a, w.places[p].pending),
        None,
        "owner",
        writes=True,
        refusals=(TokenNotPendingError,),
    ),
    Case(
        policies.read_policy,
        lambda w, a, p: policies.read_policy(w.engine, a, p, SERVICE),
        _P.READ,
    ),
    Case(
        policies.set_service_policy,
        lambda w, a, _: policies.set_service_policy(w.unit_of_work, a, SERVICE, 30),
        _P.POLICY,
        "everywhere",
        writes=True,
    ),
    Case(
        policies.set_organization_policy,
        lambda w, a, p: policies.set_organization_policy(w.unit_of_work, a, p, 30),
        _P.POLICY,
        writes=True,
    ),
    Case(
        credentials.list_credentials,
        lambda w, a, _: credentials.list_credentials(w.engine, a, SERVICE),
        _P.ACCESS,
        "everywhere",
    ),
    Case(
        credentials.create,
        lambda w, a, _: credentials.create(w.unit_of_work, a, SERVICE, MINTING),
        _P.ACCESS,
        "everywhere",
        writes=True,
    ),
    Case(
        credentials.end,
        lambda w, a, _: credentials.end(w.unit_of_work, a, w.client_id),
        _P.ACCESS,
        "everywhere",
        writes=True,
    ),
]

#: What takes an actor and is no row of the matrix, and why.
PARTS = {
    "actions.make_plan": "inside the transaction of who has asked for leave",
    "own_tokens.step_within": "the caller's transaction of accept and decline",
    "actions.event_of": "makes an event, and does nothing",
    "sign_in_sessions.record_page_refusal": "records a refusal",
    "minting_download.MintingDownload": "calls execute and audited_download",
    "results.results_download": "its download asks, and records, when somebody clicks",
    "kept_exports.KeptExport": "calls audited_download",
    "kept_exports.find_export": "finds the actor's own exports, on a page that asks for READ",
    "results.may_download_results": "asks the grants of the page; the download asks again",
}


class Person(NamedTuple):
    """Somebody with stored grants. The grants of their actor object are forged."""

    name: str
    grants: frozenset[Grant]
    status: str = "active"

    @property
    def actor(self) -> Actor:
        """The actor with forged grants, as from a manipulated session state."""
        return Actor(self.name, self.name, ADMINISTRATOR, "192.0.2.9")


PEOPLE = [
    *(Person(f"{role.value}-all", frozenset({Grant(role)})) for role in Role),
    *(Person(f"{role.value}-own", frozenset({Grant(role, OWN)})) for role in Role),
    Person(username(OWN, 0), frozenset()),
    Person("inactive", frozenset({Grant(Role.ADMINISTRATOR)}), "inactive"),
    Person("unknown", frozenset()),
]


def add_people(engine: Engine) -> None:
    """Add the staff among PEOPLE, with their grants."""
    with writing(engine) as connection:
        for person in PEOPLE:
            if person.grants:
                add_staff(
                    connection, person.name, person.name, *person.grants, status=person.status
                )


def markers(engine: Engine, organization_id: str) -> set[str]:
    """Return texts that reveal an organization: names, and all its ids."""
    statements = (
        "SELECT member_id FROM member WHERE organization_id = :o",
        "SELECT token_id FROM token WHERE organization_id = :o",
        "SELECT operation_id FROM operation WHERE organization_id = :o",
        "SELECT operation_id FROM approval WHERE organization_id = :o",
        "SELECT event_id FROM audit_event WHERE organization_id = :o",
        "SELECT grant_id FROM role_grant WHERE organization_id = :o",
    )
    with reading(engine):
        found = {
            row[0]
            for statement in statements
            for row in select(engine, statement, o=organization_id)
        }
    return {organization_id.lower(), *found}
