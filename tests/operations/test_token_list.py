"""Reads for the API Tokens page: whom a plan changes."""

import pytest
from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.errors import NotAllowedError
from lib.domain.states import Action, Holding
from lib.operations.token_list import affected_users
from tests.support.actions import change, give, later, plan
from tests.support.directory import ADMIN, build

NOW = later()


@pytest.fixture
def users(engine: Engine) -> list[str]:
    """Five users: nothing, used long ago, used lately, pending, inactive."""
    ids = build(engine, 5)
    give(engine, ids[1], Holding.ACCEPTED, last_used_at=NOW - 30 * DAY)
    give(engine, ids[2], Holding.BOTH, last_used_at=NOW - DAY)
    give(engine, ids[3], Holding.PENDING)
    change(engine, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[4])
    return ids


class TestAffectedUsers:
    """Whom a plan changes, the last used first."""

    def test_users_come_last_used_first_and_without_the_skipped(self, engine, users):
        """Then in the order of the table."""
        planned = plan(engine, Action.GENERATE, users)
        found, number = affected_users(engine, later, ADMIN, planned, "", 10)
        assert [(user.username[-1], user.holding) for user in found] == [
            ("2", Holding.BOTH),
            ("1", Holding.ACCEPTED),
            ("0", Holding.NOTHING),
            ("3", Holding.PENDING),
        ]
        assert [user.last_used_at for user in found[:2]] == [NOW - DAY, NOW - 30 * DAY]
        assert number == 4

    def test_limit_and_search_leave_the_number_of_those_that_match(self, engine, users):
        """A search for a wildcard finds nobody."""
        planned = plan(engine, Action.GENERATE, users)
        for search, limit, names, number in (("", 2, "21", 4), ("u3", 9, "3", 1), ("%", 9, "", 0)):
            found, matching = affected_users(engine, later, ADMIN, planned, search, limit)
            assert "".join(user.username[-1] for user in found) == names
            assert matching == number

    def test_someone_without_the_permission_is_refused(self, engine, users):
        """It is checked in the read itself."""
        planned = plan(engine, Action.GENERATE, users)
        with pytest.raises(NotAllowedError):
            affected_users(engine, later, Actor("nobody", "Nobody"), planned, "", 9)
