"""Granting and revoking: together or not at all, and never without an administrator left."""

import threading

import pytest
from sqlalchemy import Engine

from lib.domain.access import Actor, GrantRow
from lib.domain.errors import (
    LastAdministratorError,
    NotAllowedError,
    UnknownPersonError,
    UnknownPlaceError,
)
from lib.domain.roles import Grant, Role
from lib.operations import grants
from lib.operations.import_directory import import_directory
from lib.operations.import_rows import parse
from lib.store.engine import writing
from tests.support.actions import OTHER_ADMIN, add_administrator, change, everything, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, ORG, add_staff, build, unit_of_work

EVERYWHERE = Grant(Role.ADMINISTRATOR)
OTHER = "UTTAN1"
USER = f"{ORG.lower()}-u0"


@pytest.fixture
def desk(engine: Engine) -> Engine:
    """Two organizations, one administrator, two users."""
    build(engine, 2)
    build(engine, 0, organization_id=OTHER)
    return engine


def held(engine: Engine, username: str = USER) -> set[Grant]:
    """Return what the database has for somebody."""
    rows = select(
        engine, "SELECT role, organization_id FROM role_grant WHERE username = :u", u=username
    )
    return {Grant(Role(role), place) for role, place in rows}


class TestGranting:
    """What somebody may from now on."""

    def test_several_places_at_once(self, desk):
        """Those that are new come back; a repeated one counts once."""
        first = [Grant(Role.SUPPORT, ORG)]
        assert grants.grant(unit_of_work(desk), ADMIN, USER, first) == tuple(first)
        both = [*first, Grant(Role.SUPPORT, OTHER), Grant(Role.SUPPORT, OTHER)]
        assert grants.grant(unit_of_work(desk), ADMIN, USER, both) == (Grant(Role.SUPPORT, OTHER),)
        assert held(desk) == set(both)

    def test_all_or_nothing(self, desk):
        """An organization that is not there takes the others with it."""
        before = everything(desk)
        wanted = [Grant(Role.SUPPORT, ORG), Grant(Role.SUPPORT, "NOWHER")]
        with pytest.raises(UnknownPlaceError) as refused:
            grants.grant(unit_of_work(desk), ADMIN, USER, wanted)
        assert refused.value.organization_id == "NOWHER"
        assert everything(desk) == before

    @pytest.mark.parametrize("username", ["who", "", "a\0b", "\u202eevil", "x" * 10_000])
    def test_nobody_of_that_name(self, desk, username):
        """Whatever was typed; what is no name at all is not even recorded as one."""
        with pytest.raises(UnknownPersonError):
            grants.grant(unit_of_work(desk), ADMIN, username, [Grant(Role.SUPPORT)])
        (subject,) = select(desk, "SELECT subject FROM audit_event")[0]
        assert subject == (username if username in {"who", "\u202eevil"} else "")

    def test_in_one_organization_only(self, desk):
        """An administrator of one grants there, and not elsewhere."""
        grants.grant(unit_of_work(desk), ADMIN, USER, [Grant(Role.ADMINISTRATOR, ORG)])
        local, other = Actor(USER, ""), f"{ORG.lower()}-u1"
        assert grants.grant(unit_of_work(desk), local, other, [Grant(Role.ANALYST, ORG)])
        for place in (OTHER, None):
            with pytest.raises(NotAllowedError):
                grants.grant(unit_of_work(desk), local, other, [Grant(Role.ANALYST, place)])
        assert [row.organization_id for row in grants.list_grants(desk, local)] == [ORG, ORG]

    def test_an_inactive_person(self, desk):
        """It counts when they are active again; the list says so."""
        change(desk, "UPDATE member SET status = 'inactive' WHERE username = :u", u=USER)
        grants.grant(unit_of_work(desk), ADMIN, USER, [Grant(Role.SUPPORT)])
        (row,) = [row for row in grants.list_grants(desk, ADMIN) if row.username == USER]
        assert row == GrantRow(
            grant_id=row.grant_id,
            username=USER,
            name="User 000000",
            active=False,
            role=Role.SUPPORT,
            organization_id=None,
            organization_name=None,
            granted_at=NOW,
            granted_by="mhale",
        )


class TestRevoking:
    """What somebody may no longer."""

    def test_what_they_do_not_have(self, desk):
        """Nothing happens, and it is said."""
        assert grants.revoke(unit_of_work(desk), ADMIN, USER, [Grant(Role.SUPPORT, ORG)]) == ()

    def test_one_of_two_places(self, desk):
        """The other stays."""
        both = [Grant(Role.SUPPORT, ORG), Grant(Role.SUPPORT, OTHER)]
        grants.grant(unit_of_work(desk), ADMIN, USER, both)
        assert grants.revoke(unit_of_work(desk), ADMIN, USER, both[:1]) == tuple(both[:1])
        assert held(desk) == {both[1]}

    def test_ones_own(self, desk):
        """As long as somebody else is left."""
        add_administrator(desk)
        assert grants.revoke(unit_of_work(desk), ADMIN, "mhale", [EVERYWHERE]) == (EVERYWHERE,)
        with pytest.raises(NotAllowedError):
            grants.list_grants(desk, ADMIN)


class TestLastAdministrator:
    """Nobody can take them away, by whatever way."""

    def test_revoked(self, desk):
        """By themselves or on the command line."""
        before = everything(desk)
        with pytest.raises(LastAdministratorError):
            grants.revoke(unit_of_work(desk), ADMIN, "mhale", [EVERYWHERE])
        with pytest.raises(LastAdministratorError):
            grants.revoke_by_command(unit_of_work(desk), "mhale", [EVERYWHERE])
        assert everything(desk) == before

    def test_an_inactive_one_does_not_count(self, desk):
        """Nor does one of a single organization."""
        add_administrator(desk, status="inactive")
        grants.grant(unit_of_work(desk), ADMIN, USER, [Grant(Role.ADMINISTRATOR, ORG)])
        with pytest.raises(LastAdministratorError):
            grants.revoke(unit_of_work(desk), ADMIN, "mhale", [EVERYWHERE])

    def test_made_inactive_by_an_import(self, desk):
        """The whole import is refused."""
        users = b"username,name,email,organization_id,status\nmhale,Morgan Hale,,,inactive\n"
        before = everything(desk)
        with pytest.raises(LastAdministratorError):
            import_directory(unit_of_work(desk), {"users": parse("users", users)})
        assert everything(desk) == before

    def test_two_who_revoke_each_other_at_once(self, desk):
        """One of them stays, every time."""
        for _ in range(10):
            change(desk, "DELETE FROM role_grant")
            change(desk, "DELETE FROM user_account WHERE username = 'okafor'")
            with writing(desk) as connection:
                add_staff(connection, "okafor", "Ada Okafor")
            for username in ("mhale", "okafor"):
                grants.grant_by_command(unit_of_work(desk), username, [EVERYWHERE])
            self._at_once(desk)
            assert len(held(desk, "mhale")) + len(held(desk, "okafor")) == 1

    def _at_once(self, engine: Engine) -> None:
        start = threading.Barrier(2)

        def revoke(actor: Actor, other: Actor) -> None:
            start.wait(30)
            try:
                grants.revoke(unit_of_work(engine), actor, other.username, [EVERYWHERE])
            except (NotAllowedError, LastAdministratorError):
                return

        pairs = [(ADMIN, OTHER_ADMIN), (OTHER_ADMIN, ADMIN)]
        threads = [threading.Thread(target=revoke, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)


class TestFirstAdministrator:
    """The setting TOKEN_DESK_ADMINS."""

    def test_an_account_is_made(self, engine):
        """Of staff, with an e-mail when the name is one."""
        grants.appoint_first(unit_of_work(engine), ["root", "ann@example.com"])
        assert sorted(select(engine, "SELECT username, email, staff_status FROM user_account")) == [
            ("ann@example.com", "ann@example.com", "active"),
            ("root", "", "active"),
        ]
        assert held(engine, "root") == held(engine, "ann@example.com") == {EVERYWHERE}

    def test_a_known_person_is_taken(self, desk):
        """Nothing but the grant is new; where there is an administrator, not even that."""
        grants.appoint_first(unit_of_work(desk), [USER])
        assert held(desk) == set()
        change(desk, "DELETE FROM role_grant")
        grants.appoint_first(unit_of_work(desk), [USER])
        assert held(desk) == {EVERYWHERE}

    def test_nobody_named(self, engine):
        """Nothing happens."""
        grants.appoint_first(unit_of_work(engine), [])
        assert select(engine, "SELECT count(*) FROM audit_head") == [(0,)]
