"""The search of the Users page equals a plain filter over everything, limited to the reach."""

from itertools import product
from typing import NamedTuple

import pytest
from sqlalchemy import event as hooks

from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.errors import NotAllowedError
from lib.domain.roles import Grant, Role
from lib.domain.search import fold
from lib.domain.states import Action, Holding
from lib.operations import users
from lib.store import membership_queries, user_search
from lib.store.engine import reading, writing
from tests.support.actions import act, change, give, later, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, add_staff, build

OTHER, THIRD = "NVTBL2", "COCEP3"
PLACES = (ORG, OTHER, THIRD)
WHO = [
    (role, place) for role, place in product(Role, (None, ORG))
]  # every role, everywhere and in one organization
NAMES = ("Élodie Šimek", "Ben Doyle", "Ana Doyle", "100% Real_Name")
TEXTS = (
    *("elodie", "SIMEK", "doyle", "utcjf1", "nvtbl2-u1", "Utcjf1-U1", "example.com", "ben hale"),
    *("morgan", "%", "_", "\\", "0% real_", "a", " ", "", "\0", "\u202eana", "🦄", "' OR 1=1 --"),
    *("Organization", "COCEP3", "z" * 10_000, "demo_", "\ud800"),
)


class Seen(NamedTuple):
    """What a search showed, as sets."""

    people: frozenset[tuple[str, tuple[str, ...], int, int]]
    organizations: frozenset[str]


@pytest.fixture
def directory(engine):
    """Three organizations of four users; the first user is in two, and has tokens in both."""
    for place in PLACES:
        ids = build(engine, 4, organization_id=place)
        for number, name in enumerate(NAMES):
            username = f"{place.lower()}-u{number}"
            change(
                engine,
                "UPDATE member SET name = :name, sort_key = :sort, search_key = :key"
                " WHERE username = :username",
                name=name,
                sort=fold(name),
                key=fold(f"{name} {username} {username}@example.com"),
                username=username,
            )
            change(
                engine,
                "UPDATE user_account SET name = :name, username_key = username"
                " WHERE username = :username",
                name=name,
                username=username,
            )
        give(engine, ids[0], Holding.BOTH, organization_id=place)
        give(engine, ids[1], Holding.ACCEPTED, organization_id=place, expires_at=NOW - DAY)
    change(
        engine,
        "INSERT INTO member (organization_id, member_id, username, status, name, email,"
        " sort_key, search_key) SELECT 'NVTBL2', 'm', username, 'inactive', name, email, sort_key,"
        " search_key FROM member WHERE username = 'utcjf1-u0'",
    )
    give(engine, "m", Holding.PENDING, organization_id=OTHER)
    with writing(engine) as connection:
        for role, place in WHO:
            add_staff(connection, name_of(role, place), "Some Staff", Grant(role, place))
        add_staff(connection, "nobody", "No Body")


def name_of(role: Role, place: str | None) -> str:
    """Return the username of the person with this role."""
    return f"{role.value}-{place or 'all'}".lower()


def expected(engine, text: str, reach: set[str] | None) -> Seen:
    """Return what a search must show, by filtering all rows in Python."""
    part = fold(text[:200])
    if not part:
        return Seen(frozenset(), frozenset())
    members = select(
        engine,
        "SELECT m.username, m.organization_id, m.member_id, o.name, m.name, m.email FROM member m"
        " JOIN organization o ON o.organization_id = m.organization_id ORDER BY o.search_key",
    )
    here = [m for m in members if reach is None or m[1] in reach]
    found = {m[0] for m in here if part in fold(f"{m[4]} {m[0]} {m[5]}")}
    live = select(
        engine,
        "SELECT organization_id, member_id, state FROM token WHERE ended_at IS NULL"
        f" AND (expires_at IS NULL OR expires_at > {NOW})",
    )
    people = set()
    for username in found:
        own = [m for m in here if m[0] == username]
        ids = {(m[1], m[2]) for m in own}
        states = [t[2] for t in live if (t[0], t[1]) in ids]
        people.add(
            (
                username,
                tuple(m[3] for m in own),
                states.count("accepted"),
                states.count("pending"),
            )
        )
    if reach is None:
        staff = select(
            engine, "SELECT username, name, email FROM user_account WHERE staff_status IS NOT NULL"
        )
        people |= {(u, (), 0, 0) for u, n, e in staff if part in fold(f"{n} {u} {e}")}
    organizations = {
        row[0]
        for row in select(engine, "SELECT organization_id, name FROM organization")
        if (reach is None or row[0] in reach) and part in fold(row[1])
    }
    return Seen(frozenset(people), frozenset(organizations))


def search(engine, actor: Actor, text: str, limit: int = 100):
    """Search as a person."""
    return users.search(engine, lambda: NOW, actor, text, MINTING.prefix, limit)


@pytest.mark.usefixtures("directory")
class TestReach:
    """Each role, in all organizations and in one."""

    @pytest.mark.parametrize(("role", "place"), WHO, ids=str)
    def test_search_is_the_plain_filter_within_the_reach(self, engine, role, place):
        """People with what they have, organizations, and the counts."""
        actor, reach = Actor(name_of(role, place), ""), {place} if place else None
        for text in TEXTS:
            found = search(engine, actor, text)
            shown = Seen(
                frozenset(
                    (p.username, p.organizations, p.accepted, p.pending) for p in found.people
                ),
                frozenset(o.organization_id for o in found.organizations),
            )
            model = expected(engine, text, reach)
            assert shown == model, text
            assert (found.total, found.more) == (len(model.people), False)
            assert found.organizations_total == len(model.organizations)

    @pytest.mark.parametrize(("role", "place"), WHO, ids=str)
    def test_operations_tokens_and_counts_are_of_the_reach(self, engine, role, place):
        """Whatever is searched, in each organization."""
        actor, reach = Actor(name_of(role, place), ""), {place} if place else set(PLACES)
        for there in PLACES:
            (member_id,) = select(
                engine,
                "SELECT member_id FROM member WHERE username = :u",
                u=f"{there.lower()}-u3",
            )[0]
            planned, _ = act(engine, Action.REQUEST, [member_id], organization_id=there)
            change(
                engine,
                "UPDATE token SET hint = :hint"
                " WHERE organization_id = :place AND state = 'accepted'",
                hint=f"demo_{there[:4]}",
                place=there,
            )
            seen = search(engine, actor, f"{there}-{planned.operation_id}")
            assert {o.organization_id for o in seen.operations} == reach & {there}
            seen = search(engine, actor, there[:4])
            assert {t.organization_id for t in seen.tokens} == reach & {there}
            assert search(engine, actor, there[:4].lower()).tokens == []
        members = select(engine, "SELECT username, organization_id FROM member")
        size = users.directory_size(engine, actor)
        assert size.users == len({username for username, there in members if there in reach})
        assert size.organizations == len(reach)

    def test_search_and_counts_without_a_role_are_refused(self, engine):
        """For anybody else."""
        for read in (
            lambda: search(engine, Actor("nobody", ""), "a"),
            lambda: users.directory_size(engine, Actor("nobody", "")),
        ):
            with pytest.raises(NotAllowedError):
                read()

    def test_exact_username_comes_first_and_is_found_among_many(self, engine, monkeypatch):
        """Even where more people match than are counted."""
        monkeypatch.setattr(user_search, "MOST_PEOPLE", 2)
        found = search(engine, ADMIN, "NVTBL2-u3")
        assert found.people[0].username == "nvtbl2-u3"
        found = search(engine, ADMIN, "example.com")
        assert found.more

    def test_person_whose_memberships_are_inactive_is_inactive(self, engine):
        """One active membership is enough."""
        change(engine, "UPDATE member SET status = 'inactive' WHERE username = 'utcjf1-u1'")
        active = {p.username: p.active for p in search(engine, ADMIN, "utcjf1-u").people}
        assert active == {
            "utcjf1-u0": True,
            "utcjf1-u1": False,
            "utcjf1-u2": True,
            "utcjf1-u3": True,
        }


class TestPlans:
    """What is not a scan of the search keys reads an index."""

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("reach", [None, frozenset({ORG})])
    def test_only_search_keys_are_scanned(self, engine, reach):
        """Members everywhere, and organizations: their keys cannot be indexed."""
        build(engine, 3)
        asked = []
        hooks.listen(engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        with reading(engine) as connection:
            matches, _ = user_search.matching_people(connection, "user", reach)
            user_search.describe_people(connection, matches, reach, NOW)
            user_search.operations_with_id(connection, "0" * 8, reach, 9)
            user_search.tokens_with_hint(connection, "demo_0000", reach, NOW, 9)
            membership_queries.refused_places(connection, "utcjf1-u0")
            plans = [
                row[3]
                for statement, values in [a for a in asked if a[0].startswith("SELECT")]
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
        scans = [
            p for p in plans if p.startswith("SCAN") and "json_each" not in p and "VIRTUAL" not in p
        ]
        assert set(scans) <= {"SCAN m", "SCAN user_account USING INDEX ix_user_account_staff"}
        assert ("SCAN m" in scans) == (reach is None)
        operations = "ix_operation_id" if reach is None else "sqlite_autoindex_operation_1"
        for index in (operations, "ix_token_hint"):
            assert any(index in plan for plan in plans), index


def test_token_of_an_inactive_place_is_told_as_refused(engine):
    """Membership, organization or subscription (ruling 13)."""
    build(engine, 1)
    person = "utcjf1-u0"
    assert users.open_person(engine, later, ADMIN, person).refused == frozenset()
    for table in ("member", "organization", "subscription"):
        change(engine, f"UPDATE {table} SET status = 'inactive'")
        refused = users.open_person(engine, later, ADMIN, person).refused
        assert refused == {(ORG, SERVICE)}
        change(engine, f"UPDATE {table} SET status = 'active'")
