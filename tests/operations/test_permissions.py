"""The whole permission matrix: each role and use case, in the own and in a foreign organization."""

import inspect
import pkgutil
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

import lib.operations
from lib.domain.access import Actor
from lib.domain.errors import DeskError, NotAllowedError, UnknownPersonError
from lib.domain.roles import NOWHERE, PERMISSIONS, Grant, Permission, Role, covers, reach
from lib.domain.states import Action
from lib.operations import actions, approvals, grants, off_boarding, recall, undo
from lib.operations.leak_reader.reader import pasted
from lib.store.engine import open_engine
from tests.support.directory import ADMIN, MINTING, SERVICE, unit_of_work
from tests.support.postgresql import database
from tests.support.use_cases import (
    CASES,
    OTHER,
    OWN,
    PARTS,
    PEOPLE,
    PLACES,
    REST_ONLY,
    Case,
    Person,
    World,
    add_people,
    build_world,
    markers,
    rows,
    username,
)

Combination = tuple[Case, Person, str]


@pytest.fixture
def world(engine: Engine) -> World:
    """Both organizations, and all people of the matrix."""
    made = build_world(engine)
    add_people(engine)
    return made


@contextmanager
def copied(engine: Engine) -> Iterator[Engine]:
    """A copy of a database for one use."""
    engine.dispose()
    with _copy(engine.url) as address:
        taken = open_engine(address)
        try:
            yield taken
        finally:
            taken.dispose()


@contextmanager
def _copy(url: URL) -> Iterator[str]:
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        yield f"sqlite:///{shutil.copy(path, path.with_name('copy.db'))}"
        return
    server = url.set(database="postgres").render_as_string(hide_password=False)
    with database(server, template=str(url.database)) as address:
        yield address


def is_allowed(case: Case, person: Person, place: str) -> bool:
    """Tell what the table PERMISSIONS says."""
    if case.asks == "nothing":
        return True
    if case.asks == "owner":
        return person.name == username(place, 0)
    held = person.grants if person.status == "active" else frozenset()
    within = reach(held, case.permission)
    if case.asks in {"somewhere", "person"}:
        return within != NOWHERE
    return covers(within, None if case.asks == "everywhere" else place)


def sees(case: Case, person: Person) -> set[str]:
    """Return the organizations that the answer to a person may name."""
    if case.permission is None:
        return {OWN} if person.name == username(OWN, 0) else set()
    within = reach(person.grants, case.permission)
    return {place for place in PLACES if covers(within, place)}


def refused(case: Case, world: World, person: Person, place: str) -> str:
    """Expect a refusal that changes nothing. Return what is wrong, if anything."""
    before = rows(world.engine) if case.writes else {}
    try:
        answer = case.call(world, person.actor, place)
    except case.refusals:
        after = rows(world.engine) if case.writes else {}
        return "" if before == after else "refused, and something changed"
    except DeskError as error:
        return f"refused for another reason: {error!r}"
    return f"not refused: {answer!r}"[:200]


def answered(case: Case, world: World, person: Person, place: str, hidden: set[str]) -> str:
    """Expect an answer that names nothing hidden. Return what is wrong, if anything."""
    try:
        answer = case.call(world, person.actor, place)
    except UnknownPersonError:
        unknown = case.asks == "person" and place not in sees(case, person)
        return "" if unknown else "nobody of that name"
    except DeskError as error:
        return f"refused: {error!r}"
    if case.asks == "person" and place not in sees(case, person) and answer is not None:
        return "shows a person of another organization"
    text = repr(answer).lower()
    return "; ".join(f"tells {marker}" for marker in hidden if marker in text)


def every_combination() -> list[Combination]:
    """Return each use case with each person and each place."""
    return list(product(CASES, PEOPLE, PLACES))


def one_of_each_answer() -> list[Combination]:
    """Return the first allowed and the first refused combination of each permission."""
    found: dict[tuple[Permission | None, bool], Combination] = {}
    for case, person, place in every_combination():
        answer = (case.permission, is_allowed(case, person, place))
        found.setdefault(answer, (case, person, place))
    return list(found.values())


def combinations_for(engine: Engine) -> list[Combination]:
    """Return the combinations to try on this engine."""
    return every_combination() if engine.dialect.name == "sqlite" else one_of_each_answer()


class TestMatrix:
    """A use case is allowed exactly if PERMISSIONS says so."""

    def test_each_use_case_is_allowed_exactly_as_permissions_say(self, world):
        """Roles for all and for one organization, no role, inactive, unknown: in both places.

        All combinations run on SQLite. On PostgreSQL one allowed and one refused combination of
        each permission runs, because the SQL of the engines does not differ in more than that.
        """
        markers_by_place = {place: markers(world.engine, place) for place in PLACES}
        combinations, wrong, allowed = combinations_for(world.engine), [], 0
        for case, person, place in combinations:
            if not is_allowed(case, person, place):
                fault = refused(case, world, person, place)
            else:
                allowed += 1
                seen = sees(case, person)
                hidden = set().union(*(markers_by_place[p] for p in set(PLACES) - seen))
                hidden |= set() if seen == set(PLACES) else {REST_ONLY}
                fault = self._answered(case, world, person, place, hidden)
            wrong += [f"{person.name} {case.name} {place}: {fault}"] if fault else []
        sys.stdout.write(
            f"\n{world.engine.dialect.name}: {len(CASES)} operations, {len(combinations)}"
            f" combinations, {allowed} allowed, {len(wrong)} leaks\n"
        )
        assert wrong == []

    def test_all_combinations_run_on_sqlite_and_some_on_postgresql(self):
        """On PostgreSQL each permission is allowed once and refused once."""
        whole, chosen = every_combination(), one_of_each_answer()
        assert len(whole) == len(CASES) * len(PEOPLE) * len(PLACES) > 900
        answers = {(case.permission, is_allowed(case, *who)) for case, *who in chosen}
        assert answers >= {(p, yes) for p in Permission for yes in (True, False)}

    def _answered(
        self, case: Case, world: World, person: Person, place: str, hidden: set[str]
    ) -> str:
        if not case.writes:
            return answered(case, world, person, place, hidden)
        with copied(world.engine) as engine:
            before = rows(engine)
            fault = answered(case, world.on(engine), person, place, hidden)
            return fault or ("" if rows(engine) != before else "nothing was done")

    def test_every_use_case_with_an_actor_is_in_the_matrix(self):
        """A new one needs its row."""
        known = {case.name.partition(" ")[0] for case in CASES} | set(PARTS)
        assert taking(Actor) - known == set()
        assert known - taking(Actor) == set()

    def test_every_permission_is_used_by_a_use_case(self):
        """None is unused."""
        assert {case.permission for case in CASES} - {None} == set(Permission)

    def test_an_administrator_has_every_permission(self):
        """The first row of the table."""
        assert PERMISSIONS[Role.ADMINISTRATOR] == frozenset(Permission)


PREFIX = "lib.operations."


def taking(wanted: type) -> set[str]:
    """Return every public function and class of lib.operations with a parameter `wanted`."""
    found = set()
    for module in pkgutil.walk_packages(lib.operations.__path__, PREFIX):
        members = vars(import_module(module.name))
        for name, member in members.items():
            own = getattr(member, "__module__", "") == module.name
            if not own or name.startswith("_") or not callable(member):
                continue
            if isinstance(member, type) and issubclass(member, Exception):
                continue
            parameters = inspect.signature(member).parameters.values()
            if any(parameter.annotation is wanted for parameter in parameters):
                found.add(f"{module.name.rpartition('.')[2]}.{name}")
    return found


class TestRoleRevoked:
    """A role is revoked between two clicks: the second is refused and changes nothing."""

    PLANNER = Actor("administrator-own", "", frozenset({Grant(Role.ADMINISTRATOR, OWN)}))

    def _take_away(self, world: World) -> dict[str, list[str]]:
        gone = Grant(Role.ADMINISTRATOR, OWN)
        assert grants.revoke(unit_of_work(world.engine), ADMIN, self.PLANNER.username, [gone]) == (
            gone,
        )
        return rows(world.engine)

    @pytest.mark.parametrize("action", Action)
    def test_execute_is_refused_when_the_role_was_revoked_after_the_plan(self, world, action):
        """For each action."""
        ids = world.places[OWN].ids
        plan = actions.plan_action(world.unit_of_work, self.PLANNER, action, OWN, SERVICE, ids)
        before = self._take_away(world)
        with pytest.raises(NotAllowedError):
            actions.execute(world.unit_of_work, self.PLANNER, plan, MINTING)
        assert rows(world.engine) == before

    def test_off_boarding_is_refused_when_the_role_was_revoked_after_the_plan(self, world):
        """For the whole batch."""
        planned = off_boarding.plan_off_boarding(world.unit_of_work, self.PLANNER, username(OWN, 1))
        before = self._take_away(world)
        with pytest.raises(NotAllowedError):
            off_boarding.off_board(world.unit_of_work, self.PLANNER, planned)
        assert rows(world.engine) == before

    def test_undo_is_refused_when_the_role_was_revoked_after_the_plan(self, world):
        """Of a request."""
        place = (OWN, world.places[OWN].operation.operation_id)
        planned = undo.plan_undo(world.unit_of_work, self.PLANNER, *place)
        before = self._take_away(world)
        with pytest.raises(NotAllowedError):
            undo.undo(world.unit_of_work, self.PLANNER, planned)
        assert rows(world.engine) == before

    def test_recall_is_refused_when_the_role_was_revoked_after_the_look_up(self, world):
        """For the whole batch."""
        leaked = world.places[OWN].leaked
        planned = recall.look_up(world.unit_of_work, self.PLANNER, [pasted(leaked)], MINTING)
        before = self._take_away(world)
        with pytest.raises(NotAllowedError):
            recall.end(world.unit_of_work, self.PLANNER, planned)
        assert rows(world.engine) == before

    def test_an_approval_is_refused_when_the_role_was_just_revoked(self, world):
        """The person could have answered before."""
        before = self._take_away(world)
        with pytest.raises(NotAllowedError):
            approvals.answer(
                world.unit_of_work, self.PLANNER, OWN, world.places[OWN].asked, approve=True
            )
        assert rows(world.engine) == before


class TestSomebodyElsesPlan:
    """One administrator's plan cannot be confirmed by another one."""

    @pytest.mark.parametrize(
        "confirm",
        [
            lambda w, a: actions.execute(
                w.unit_of_work, a, w.places[OWN].plans[Action.REMOVE], MINTING
            ),
            lambda w, a: off_boarding.off_board(w.unit_of_work, a, w.places[OWN].off_boarding),
            lambda w, a: recall.end(w.unit_of_work, a, w.places[OWN].recall),
            lambda w, a: approvals.request(w.unit_of_work, a, w.places[OWN].plans[Action.GENERATE]),
            lambda w, a: undo.undo(
                w.unit_of_work,
                a,
                undo.plan_undo(w.unit_of_work, ADMIN, OWN, w.places[OWN].operation.operation_id),
            ),
        ],
        ids=["carry_out", "off_board", "recall", "ask", "undo"],
    )
    def test_somebody_elses_plan_is_refused(self, world, confirm):
        """Even though the other has the permission to plan the same."""
        before = rows(world.engine)
        with pytest.raises(NotAllowedError):
            confirm(world, TestRoleRevoked.PLANNER)
        assert rows(world.engine) == before


class TestReachInOneOrganization:
    """A role in one organization is not enough for several."""

    def test_one_foreign_organization_refuses_all_grants(self, world):
        """Several grants happen together or not at all."""
        before = rows(world.engine)
        wanted = [Grant(Role.ANALYST, OWN), Grant(Role.ANALYST, OTHER)]
        with pytest.raises(NotAllowedError):
            grants.grant(world.unit_of_work, TestRoleRevoked.PLANNER, username(OWN, 0), wanted)
        assert rows(world.engine) == before
