"""Sign-in by a proxy, on each engine."""

import pytest
from sqlalchemy import text

from lib.domain.errors import InactiveAccountError, NotInDirectoryError
from lib.operations import proxy_sign_in
from lib.operations.unit_of_work import UnitOfWork
from lib.store.engine import writing
from tests.operations.test_sign_in_sessions import FROM, SEAL, add_account, events, rows
from tests.support.database_facts import NOW
from tests.support.directory import build


@pytest.fixture
def unit_of_work(engine) -> UnitOfWork:
    """A directory with Morgan Hale and three users."""
    build(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE user_account SET username_key = lower(username)"))
    return UnitOfWork(engine, lambda: NOW, SEAL)


class TestByProxy:
    """The proxy names the person, and the sign-in is recorded."""

    def test_a_known_person_is_recorded_without_a_row(self, unit_of_work):
        """The proxy decides how long the sign-in lasts."""
        actor = proxy_sign_in.begin(unit_of_work, "mhale", FROM)
        assert (actor.username, actor.address) == ("mhale", FROM)
        assert events(unit_of_work.engine) == [("sign-in", "mhale", FROM, "")]
        assert rows(unit_of_work.engine) == []

    @pytest.mark.parametrize("name", ["MHALE", " mhale"])
    def test_a_name_that_differs_by_case_or_white_space_is_the_one_person(self, unit_of_work, name):
        """At each request; the event has the username."""
        assert proxy_sign_in.begin(unit_of_work, name, FROM).username == "mhale"
        assert proxy_sign_in.find(unit_of_work, name, FROM).username == "mhale"
        assert events(unit_of_work.engine) == [("sign-in", "mhale", FROM, "")]

    @pytest.mark.parametrize("name", ["nobody", "mhale, mhale", "mhale\x00", ""])
    def test_an_unknown_name_is_refused_and_recorded(self, unit_of_work, name):
        """No account has it."""
        with pytest.raises(NotInDirectoryError):
            proxy_sign_in.begin(unit_of_work, name, FROM)
        ((action, *_, detail),) = events(unit_of_work.engine)
        assert (action, detail) == ("refusal", "sign-in: NotInDirectory")

    def test_an_inactive_account_of_the_proxy_is_refused_and_recorded(self, unit_of_work):
        """As an unknown one."""
        add_account(unit_of_work.engine, "gone", "", "inactive")
        with pytest.raises(InactiveAccountError):
            proxy_sign_in.begin(unit_of_work, "gone", FROM)
        assert events(unit_of_work.engine) == [("refusal", "gone", FROM, "sign-in: Inactive")]
