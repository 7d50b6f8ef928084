"""The permissions of roles, and the organizations in which they apply."""

import pytest

from lib.domain.access import Actor
from lib.domain.roles import NOWHERE, PERMISSIONS, Grant, Permission, Role, covers, reach
from lib.domain.states import Action

A, B = "UTCJF1", "UTTAN1"


class TestTable:
    """The table of permissions."""

    def test_every_role_is_in_it(self):
        """Every role is in the table, and the administrator has every permission."""
        assert set(PERMISSIONS) == set(Role)
        assert PERMISSIONS[Role.ADMINISTRATOR] == frozenset(Permission)

    def test_every_action_is_a_permission(self):
        """Every action is a permission of the same name."""
        assert {action.value for action in Action} <= {each.value for each in Permission}

    def test_only_administrators_mint_and_grant(self):
        """Only administrators may generate, approve, and change roles and policies."""
        for role in (Role.SUPPORT, Role.ANALYST):
            assert not PERMISSIONS[role] & {
                Permission.GENERATE,
                Permission.APPROVE,
                Permission.ACCESS,
                Permission.POLICY,
            }

    def test_analysts_change_nothing(self):
        """Analysts may only read and export."""
        assert PERMISSIONS[Role.ANALYST] == {
            Permission.READ,
            Permission.COVERAGE,
            Permission.ACTIVITY,
            Permission.EXPORT,
        }

    def test_it_cannot_be_changed(self):
        """The table is read-only."""
        with pytest.raises(TypeError):
            PERMISSIONS[Role.ANALYST] = frozenset()


class TestReach:
    """The organizations in which grants give a permission."""

    @pytest.mark.parametrize(
        ("grants", "expected"),
        [
            ([], NOWHERE),
            ([Grant(Role.ANALYST)], NOWHERE),
            ([Grant(Role.SUPPORT, A)], {A}),
            ([Grant(Role.SUPPORT, A), Grant(Role.SUPPORT, B)], {A, B}),
            ([Grant(Role.SUPPORT, A), Grant(Role.ANALYST, B)], {A}),
            ([Grant(Role.SUPPORT, A), Grant(Role.ADMINISTRATOR)], None),
        ],
    )
    def test_adds_up(self, grants, expected):
        """The organizations of all grants add up; a grant for all includes the others."""
        assert reach(grants, Permission.CANCEL) == expected

    @pytest.mark.parametrize(
        ("within", "place", "expected"),
        [
            (None, A, True),
            (None, None, True),
            (frozenset({A}), A, True),
            (frozenset({A}), B, False),
            (frozenset({A}), None, False),
            (NOWHERE, A, False),
            (NOWHERE, None, False),
        ],
    )
    def test_covers(self, within, place, expected):
        """Only a grant for all organizations covers all organizations."""
        assert covers(within, place) is expected

    def test_what_menus_ask(self):
        """`may` and `may_somewhere` answer for one, for all and for any organization."""
        actor = Actor("u", "U", frozenset({Grant(Role.SUPPORT, A)}))
        assert actor.may(Permission.CANCEL, A)
        assert not actor.may(Permission.CANCEL, B)
        assert not actor.may(Permission.CANCEL)
        assert actor.may_somewhere(Permission.CANCEL)
        assert not actor.may_somewhere(Permission.GENERATE)
