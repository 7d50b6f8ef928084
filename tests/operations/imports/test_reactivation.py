"""Tokens of whom or what was inactive work again, and the administrator is told how many."""

import pytest
from sqlalchemy import Engine

from tests.operations.imports.base_directory import (
    BASE,
    ORG,
    OTHER,
    last_import,
    line,
    take,
    take_files,
    token_of,
    work,
)


@pytest.fixture
def tokens(engine: Engine) -> list[str]:
    """Tokens of ann and bob in one organization, and of eve in another."""
    assert take_files(engine, BASE).all_taken
    assert take(engine, line("ann"), line("bob"), line("eve", OTHER)).all_taken
    return [token_of(engine, "ann"), token_of(engine, "bob"), token_of(engine, "eve", OTHER)]


def inactive(name: str) -> dict[str, str]:
    """Return a file of the base in which everything of the first organization is inactive."""
    return {
        name: BASE[name]
        .replace("UTCJF1,erecording,active", "UTCJF1,erecording,inactive")
        .replace("County,recipient,active,UT\nUTTAN1", "County,recipient,inactive,UT\nUTTAN1")
    }


class TestTokensThatWorkAgain:
    """Ruling 13: they kept their state."""

    def test_one_token_of_a_user(self, engine, tokens):
        """The report and the event say so, in the same words."""
        assert take(engine, line("ann", status="inactive")).work_again == 0
        assert last_import(engine)[1] == "users 1"
        assert work(engine, *tokens) == [False, True, True]
        report = take(engine, line("ann"))
        assert report.work_again == 1
        assert last_import(engine)[1] == "users 1; 1 token works again"
        assert work(engine, *tokens) == [True, True, True]

    @pytest.mark.parametrize("name", ["organizations", "subscriptions"])
    def test_tokens_of_an_organization_or_subscription(self, engine, tokens, name):
        """All that were given there."""
        assert take_files(engine, inactive(name)).work_again == 0
        assert work(engine, *tokens) == [False, False, True]
        assert take_files(engine, {name: BASE[name]}).work_again == 2
        assert last_import(engine)[1] == f"{name} 1; 2 tokens work again"
        assert work(engine, *tokens) == [True, True, True]

    def test_a_token_is_counted_once_when_everything_was_inactive(self, engine, tokens):
        """User, organization and subscription come back in one import."""
        files = inactive("organizations") | inactive("subscriptions")
        take(engine, line("ann", status="inactive"))
        take_files(engine, files)
        everything = {name: BASE[name] for name in ("organizations", "subscriptions")}
        users = {"users": "\n".join(["username,name,email,organization_id,status", line("ann")])}
        assert take_files(engine, everything | users, dry_run=True).work_again == 2
        assert work(engine, *tokens) == [False, False, True]
        assert take_files(engine, everything | users).work_again == 2
        assert work(engine, *tokens) == [True, True, True]

    def test_a_token_is_not_counted_when_something_else_is_inactive(self, engine, tokens):
        """It still does not work."""
        take(engine, line("ann", status="inactive"), line("bob", status="pending"))
        take_files(engine, inactive("organizations"))
        assert take(engine, line("ann")).work_again == 0
        assert take_files(engine, {"organizations": BASE["organizations"]}).work_again == 1
        assert work(engine, *tokens) == [True, False, True]

    def test_a_missing_member_is_not_counted_when_they_are_made_inactive(self, engine, tokens):
        """Their organization comes back, and they do not."""
        take_files(engine, inactive("organizations"))
        users = "\n".join(["username,name,email,organization_id,status", line("ann")])
        files = {"organizations": BASE["organizations"], "users": users}
        report = take_files(engine, files, deactivate_missing=2)
        assert (report.missing.members, report.work_again) == (2, 1)
        assert work(engine, *tokens) == [True, False, True]

    def test_it_is_not_known_when_nothing_was_accepted(self, engine, tokens):
        """A refused row held all back."""
        take(engine, line("ann", status="inactive"))
        report = take(engine, line("ann"), line("x y"))
        assert (report.accepted, report.work_again) == (False, None)
        assert work(engine, tokens[0]) == [False]
        assert take(engine, line("ann"), line("x y"), skip_bad_rows=True).work_again == 1

    def test_an_inactive_member_comes_back_after_having_been_missing(self, engine, tokens):
        """The way back of --deactivate-missing."""
        assert take(engine, line("bob"), deactivate_missing=2).missing.working_tokens == 1
        assert work(engine, *tokens) == [False, True, True]
        assert take(engine, line("bob"), line("ann", ORG)).work_again == 1
        assert work(engine, *tokens) == [True, True, True]
