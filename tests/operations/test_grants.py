"""Granting and revoking: all or nothing, and never without an API administrator left."""

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
from lib.operations.imports.import_directory import import_directory
from lib.operations.imports.parse import parse
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
    """Return the stored grants of a person."""
    rows = select(
        engine, "SELECT role, organization_id FROM role_grant WHERE username = :u", u=username
    )
    return {Grant(Role(role), place) for role, place in rows}


class TestGranting:
    """New grants."""

    def test_a_grant_in_several_places_returns_the_new_ones(self, desk):
        """A repeated one counts once."""
        first = [Grant(Role.SUPPORT, ORG)]
        assert grants.grant(unit_of_work(desk), ADMIN, USER, first) == tuple(first)
        both = [*first, Grant(Role.SUPPORT, OTHER), Grant(Role.SUPPORT, OTHER)]
        assert grants.grant(unit_of_work(desk), ADMIN, USER, both) == (Grant(Role.SUPPORT, OTHER),)
        assert held(desk) == set(both)

    def test_an_unknown_organization_refuses_all_grants(self, desk):
        """Nothing is granted."""
        before = everything(desk)
        wanted = [Grant(Role.SUPPORT, ORG), Grant(Role.SUPPORT, "NOWHER")]
        with pytest.raises(UnknownPlaceError) as refused:
            grants.grant(unit_of_work(desk), ADMIN, USER, wanted)
        assert refused.value.organization_id == "NOWHER"
        assert everything(desk) == before

    @pytest.mark.parametrize("username", ["who", "", "a\0b", "\u202eevil", "x" * 10_000])
    def test_a_grant_to_an_unknown_person_is_refused(self, desk, username):
        """A text that is no possible name is not recorded as one."""
        with pytest.raises(UnknownPersonError):
            grants.grant(unit_of_work(desk), ADMIN, username, [Grant(Role.SUPPORT)])
        (subject,) = select(desk, "SELECT subject FROM audit_event")[0]
        assert subject == (username if username in {"who", "\u202eevil"} else "")

    def test_an_administrator_of_one_organization_grants_only_there(self, desk):
        """Elsewhere it is refused."""
        grants.grant(unit_of_work(desk), ADMIN, USER, [Grant(Role.ADMINISTRATOR, ORG)])
        local, other = Actor(USER, ""), f"{ORG.lower()}-u1"
        assert grants.grant(unit_of_work(desk), local, other, [Grant(Role.ANALYST, ORG)])
        for place in (OTHER, None):
            with pytest.raises(NotAllowedError):
                grants.grant(unit_of_work(desk), local, other, [Grant(Role.ANALYST, place)])
        assert [row.organization_id for row in grants.list_grants(desk, local)] == [ORG, ORG]

    def test_a_grant_to_an_inactive_person_counts_when_they_are_active_again(self, desk):
        """The list shows that they are inactive."""
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
    """Revoked grants."""

    def test_revoking_a_grant_that_is_not_held_returns_nothing(self, desk):
        """Nothing changes."""
        assert grants.revoke(unit_of_work(desk), ADMIN, USER, [Grant(Role.SUPPORT, ORG)]) == ()

    def test_revoking_one_of_two_grants_keeps_the_other(self, desk):
        """In the other organization."""
        both = [Grant(Role.SUPPORT, ORG), Grant(Role.SUPPORT, OTHER)]
        grants.grant(unit_of_work(desk), ADMIN, USER, both)
        assert grants.revoke(unit_of_work(desk), ADMIN, USER, both[:1]) == tuple(both[:1])
        assert held(desk) == {both[1]}

    def test_an_administrator_can_revoke_their_own_role(self, desk):
        """If another administrator is left."""
        add_administrator(desk)
        assert grants.revoke(unit_of_work(desk), ADMIN, "mhale", [EVERYWHERE]) == (EVERYWHERE,)
        with pytest.raises(NotAllowedError):
            grants.list_grants(desk, ADMIN)


class TestLastAdministrator:
    """The last API administrator cannot be removed."""

    def test_the_last_administrator_cannot_be_revoked(self, desk):
        """Neither by themselves nor by command."""
        before = everything(desk)
        with pytest.raises(LastAdministratorError):
            grants.revoke(unit_of_work(desk), ADMIN, "mhale", [EVERYWHERE])
        with pytest.raises(LastAdministratorError):
            grants.revoke_by_command(unit_of_work(desk), "mhale", [EVERYWHERE])
        assert everything(desk) == before

    def test_inactive_administrators_and_those_of_one_organization_do_not_count(self, desk):
        """They cannot grant roles for all."""
        add_administrator(desk, status="inactive")
        grants.grant(unit_of_work(desk), ADMIN, USER, [Grant(Role.ADMINISTRATOR, ORG)])
        with pytest.raises(LastAdministratorError):
            grants.revoke(unit_of_work(desk), ADMIN, "mhale", [EVERYWHERE])

    def test_an_import_cannot_make_the_last_administrator_inactive(self, desk):
        """The whole import is refused."""
        users = b"username,name,email,organization_id,status\nmhale,Morgan Hale,,,inactive\n"
        before = everything(desk)
        with pytest.raises(LastAdministratorError):
            import_directory(unit_of_work(desk), {"users": parse("users", users)})
        assert everything(desk) == before

    def test_of_two_administrators_who_revoke_each_other_one_stays(self, desk):
        """Every time."""
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

    def test_an_unknown_first_administrator_gets_a_staff_account(self, engine):
        """With an e-mail if the username is one."""
        grants.appoint_first(unit_of_work(engine), ["root", "ann@example.com"])
        assert sorted(select(engine, "SELECT username, email, staff_status FROM user_account")) == [
            ("ann@example.com", "ann@example.com", "active"),
            ("root", "", "active"),
        ]
        assert held(engine, "root") == held(engine, "ann@example.com") == {EVERYWHERE}

    def test_a_known_first_administrator_gets_the_grant_only(self, desk):
        """If there is an administrator already, nothing changes."""
        grants.appoint_first(unit_of_work(desk), [USER])
        assert held(desk) == set()
        change(desk, "DELETE FROM role_grant")
        grants.appoint_first(unit_of_work(desk), [USER])
        assert held(desk) == {EVERYWHERE}

    def test_an_empty_setting_changes_nothing(self, engine):
        """Nobody is named."""
        grants.appoint_first(unit_of_work(engine), [])
        assert select(engine, "SELECT count(*) FROM audit_head") == [(0,)]
