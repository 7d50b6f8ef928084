"""Usernames that differ by case only are read as one, so the second is not let in."""

import pytest
from sqlalchemy import Engine

from lib.domain.search import caseless
from lib.operations import grants
from lib.store import import_queries
from lib.store.engine import writing
from tests.operations.imports.base_directory import BASE, ORG, OTHER, counts, line, take, take_files
from tests.support.actions import everything, select
from tests.support.directory import unit_of_work

JDOE = "jdoe,Jane Doe,jane@example.org,UTCJF1,active"


@pytest.fixture
def base(engine: Engine) -> Engine:
    """Two organizations, jdoe in one of them, and a staff account."""
    assert take_files(engine, BASE).all_taken
    return engine


def add_pair(engine: Engine) -> None:
    """Store a username that differs from jdoe by case only, as earlier imports could."""
    account = {"username": "JDoe", "name": "John Doe", "email": "", "staff_status": "active"}
    with writing(engine) as connection:
        import_queries.add_accounts(connection, [account])


def refused(engine: Engine, *lines: str) -> list[tuple[int, str, str]]:
    """Return line, value and reason of each refusal; nothing is written."""
    before = everything(engine)
    report = take(engine, *lines)
    assert everything(engine) == before
    assert {refusal.field for refusal in report.files["users"].refusals} == {"username"}
    return [(r.line, r.value, r.reason) for r in report.files["users"].refusals]


class TestInOneFile:
    """Both lines are refused, each naming the other."""

    def test_both_are_refused_when_one_is_stored(self, base):
        """Nobody knows which one is meant."""
        fix = "keep one of the two, or give another person another username"
        assert refused(base, JDOE, JDOE.replace("jdoe", "JDoe")) == [
            (2, "jdoe", f"differs by case only from JDoe on line 3; {fix}"),
            (3, "JDoe", f"differs by case only from jdoe on line 2; {fix}"),
        ]

    @pytest.mark.parametrize(
        ("one", "other"), [("zo\u00eb", "ZOE\u0308"), ("stra\u00dfe", "STRASSE"), ("i.a", "I.A")]
    )
    def test_both_are_refused_when_none_is_stored(self, base, one, other):
        """Letters of any script, composed or not."""
        found = refused(base, line(one), line("bo"), line(other, OTHER))
        assert [number for number, _, _ in found] == [2, 4]

    def test_all_lines_of_both_are_refused(self, base):
        """In every organization."""
        lines = (line("ann"), line("ann", OTHER), line("ANN").replace("Ann Lee", "x"))
        assert [number for number, _, _ in refused(base, *lines)] == [2, 3, 4]

    def test_a_stored_pair_stays_as_long_as_nothing_changes(self, base):
        """It came before the rule."""
        add_pair(base)
        john = "JDoe,John Doe,,,active"
        assert counts(take(base, JDOE, john)) == (0, 0, 2, 0)
        found = refused(base, JDOE, john.replace("John", "Joe"))
        assert [number for number, _, _ in found] == [2, 3]

    def test_one_of_a_stored_pair_can_change_alone(self, base):
        """So there is a way to end the pair."""
        add_pair(base)
        assert counts(take(base, "JDoe,John Doe,,,inactive")) == (0, 1, 0, 0)


class TestAgainstTheStore:
    """The line says how the username is stored."""

    @pytest.mark.parametrize("username", ["JDoe", "JDOE", "jDoe"])
    def test_a_line_is_refused_when_the_store_writes_it_otherwise(self, base, username):
        """Also for another organization."""
        reason = "is stored as jdoe; write it that way, or give another person another username"
        assert refused(base, line(username, OTHER)) == [(2, username, reason)]

    def test_others_are_taken_when_bad_rows_are_skipped(self, base):
        """The stored one stays what it was."""
        report = take(base, line("JDOE"), line("bo"), skip_bad_rows=True)
        assert counts(report) == (1, 0, 0, 1)
        assert select(base, "SELECT name FROM user_account WHERE username = 'jdoe'") == [
            ("Jane Doe",)
        ]

    def test_every_account_has_its_key(self, base):
        """Also the first API administrators, who come from a setting."""
        grants.appoint_first(unit_of_work(base), ["Z\u00d6E@example.com"])
        for username, key in select(base, "SELECT username, username_key FROM user_account"):
            assert key == caseless(username)
        assert counts(take(base, line("z\u00f6e@example.com"), skip_bad_rows=True))[3] == 1

    def test_accents_count(self, base):
        """Only case does not."""
        assert counts(take(base, line("jdoé", ORG))) == (1, 0, 0, 0)
