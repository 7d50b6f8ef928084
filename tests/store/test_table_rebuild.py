"""Changing a check, and rebuilding a table that others refer to, on both engines."""

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from lib.domain.states import Action
from lib.store.engine import migrating, reading, writing
from lib.store.table_rebuild import rebuild, replace_check
from tests.support.actions import act
from tests.support.directory import build

WIDER = f"action IN ({', '.join(repr(action.value) for action in Action)}, 'suspend', ':x''()')"
#: PostgreSQL neither turns foreign keys off nor rebuilds a table.
SQLITE_ONLY = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def rows(engine: Engine) -> dict[str, list[tuple]]:
    """Return every row of every table."""
    with reading(engine) as connection:
        return {
            name: sorted(map(tuple, connection.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in inspect(connection).get_table_names()
        }


def schema(engine: Engine) -> list[tuple]:
    """Return SQLite's statements for everything but the table that is rebuilt."""
    statement = "SELECT type, name, sql FROM sqlite_master WHERE name <> 'operation' ORDER BY name"
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def add_operation(engine: Engine, action: str) -> None:
    """Add a copy of an operation with another action."""
    with writing(engine) as connection:
        columns = [column["name"] for column in inspect(connection).get_columns("operation")]
        own = {"operation_id": ":id", "action": ":action"}
        values = ", ".join(own.get(name, name) for name in columns)
        connection.execute(
            text(f"INSERT INTO operation SELECT {values} FROM operation LIMIT 1"),
            {"id": "0" * 32, "action": action},
        )


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """An operation with result rows and tokens that refer to it."""
    ids = build(engine)
    act(engine, Action.GENERATE, ids)
    return engine


def test_a_check_is_replaced_and_everything_else_stays(filled):
    """Other tables refer to operations; their rows, indexes and triggers are as before."""
    before = rows(filled)
    described = schema(filled) if filled.dialect.name == "sqlite" else None
    with pytest.raises(IntegrityError):
        add_operation(filled, "suspend")
    with migrating(filled) as connection:
        replace_check(connection, "operation", "ck_operation_action", WIDER)
    assert rows(filled) == before
    if described:
        assert schema(filled) == described
    add_operation(filled, "suspend")
    with pytest.raises(IntegrityError):
        add_operation(filled, "other")


def test_a_condition_that_rows_break_changes_nothing(filled):
    """The database refuses it, and the old check holds on."""
    before = rows(filled)
    with pytest.raises(IntegrityError), migrating(filled) as connection:
        replace_check(connection, "operation", "ck_operation_action", "action = 'request'")
    assert rows(filled) == before
    with pytest.raises(IntegrityError):
        add_operation(filled, "suspend")


def test_foreign_keys_hold_again_afterwards(filled):
    """The connection goes back to the pool as it came."""
    with migrating(filled) as connection:
        replace_check(connection, "operation", "ck_operation_action", WIDER)
    with pytest.raises(IntegrityError), writing(filled) as connection:
        connection.execute(text("DELETE FROM organization"))


@SQLITE_ONLY
def test_rows_that_refer_to_nothing_are_refused(filled):
    """Before the commit, so that nothing is changed."""
    before = rows(filled)
    with pytest.raises(ValueError, match="refer to nothing"), migrating(filled) as connection:
        connection.execute(text("DELETE FROM organization"))
    assert rows(filled) == before


def test_a_check_that_is_not_there_is_named(engine):
    """A misspelt name is no check without effect."""
    with pytest.raises(Exception, match="ck_operation_acton"), migrating(engine) as connection:
        replace_check(connection, "operation", "ck_operation_acton", WIDER)


@SQLITE_ONLY
def test_triggers_are_made_again(engine):
    """The audit trail still only grows after its table was rebuilt."""
    ids = build(engine)
    act(engine, Action.REQUEST, ids)
    with migrating(engine) as connection:
        rebuild(connection, "audit_event", lambda sql: sql)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(text("DELETE FROM audit_event"))
