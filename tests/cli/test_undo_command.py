"""The command `undo`."""

import json

import pytest

from lib import cli
from lib.domain import clock
from lib.domain.states import Action, Holding
from lib.operations.actions import execute, plan_action
from tests.cli.test_token_commands import database
from tests.support.actions import everything, exported, give, live_matches, select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, unit_of_work

__all__ = ["database"]  # a fixture


@pytest.fixture
def replaced(database) -> tuple[str, list[str], list[str]]:
    """An export for five users, two of whom had a token: its id, the old and the new tokens."""
    ids = [row[0] for row in select(database, "SELECT member_id FROM member ORDER BY sort_key")]
    old = [give(database, member_id, Holding.ACCEPTED)[0] for member_id in ids[:2]]
    books = unit_of_work(database, clock.now)  # as the command's
    plan = plan_action(books, ADMIN, Action.GENERATE, ORG, SERVICE, ids)
    return plan.operation_id, old, exported(execute(books, ADMIN, plan, MINTING))


def test_an_operation_is_undone_by_its_id(database, replaced, capsys):
    """The receipt has counts and ids, and the event the reason."""
    operation_id, old, new = replaced
    assert cli.main(["undo", operation_id, "--reason", "wrong list"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("5 users: 5 users are restored.\n2 earlier tokens work again\n")
    assert "5 new tokens stop working\n" in out
    assert f"{ORG}  {SERVICE}  undone: {operation_id}, operation " in out
    assert live_matches(database, [*old, *new]) == [1] * 2 + [0] * 5
    event = select(database, "SELECT actor, address, reason FROM audit_event WHERE action = 'undo'")
    assert event == [("", "command line", "wrong list")]


def test_a_dry_run_says_the_same_and_changes_nothing(database, replaced, capsys):
    """As JSON, too."""
    before = everything(database)
    assert cli.main(["undo", replaced[0], "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("5 users: 5 users are restored.\n")
    assert out.endswith("Dry run: nothing was changed.\n")
    assert cli.main(["undo", replaced[0], "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["restored"], facts["tokens_back"], facts["done"]) == (5, 2, False)
    assert everything(database) == before


def test_skipped_users_are_named_with_the_reason(database, replaced, capsys):
    """In lines and in JSON."""
    statement = "UPDATE token SET state = 'accepted', accepted_at = 1 WHERE state = 'pending'"
    with database.begin() as connection:
        connection.exec_driver_sql(statement)
    assert cli.main(["undo", replaced[0], "--dry-run"]) == 0
    assert "skipped: User 000000, utcjf1-u0: accepted or used since\n" in capsys.readouterr().out
    assert cli.main(["undo", replaced[0]]) == 1
    assert capsys.readouterr().err.startswith("Nothing was undone: no user")


@pytest.mark.parametrize(
    ("again", "days", "message"),
    [
        (True, "7", "This operation was undone already"),
        (False, "0", "Undo is switched off."),
        (None, "7", "There is no operation 'nothing'."),
    ],
)
def test_a_refusal_is_one_sentence(
    database,
    replaced,
    capsys,
    monkeypatch,
    again,
    days,
    message,
):
    """Undone already, switched off, or unknown: exit code 1, and nothing is written."""
    if again:
        assert cli.main(["undo", replaced[0]]) == 0
    monkeypatch.setenv("TOKEN_DESK_UNDO_DAYS", days)
    before = everything(database)
    assert cli.main(["undo", "nothing" if again is None else replaced[0]]) == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert everything(database) == before
