"""Migrations create the tables of lib.store.tables, also with two processes at once."""

import re
import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, Engine, inspect, text

from lib.domain.search import caseless
from lib.settings import ROOT
from lib.store import tables
from lib.store.engine import open_engine, reading, writing
from lib.store.migrate import _config, migrate

PROCESSES = 2


def index_conditions(connection: Connection) -> dict[str, str]:
    """Return the normalized condition of each partial index of the database."""
    postgresql = connection.dialect.name == "postgresql"
    statement = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
        if postgresql
        else "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    found = connection.execute(text(statement))
    conditions = {row[0]: row[1].partition(" WHERE ")[2] for row in found}
    return {name: plain(condition) for name, condition in conditions.items() if condition}


def plain(condition: str) -> str:
    """Return a condition without parentheses, casts and quotation marks."""
    words = re.sub(r"::\w+( varying)?(\[\])?", "", condition.strip())
    words = re.sub(r"= ANY ARRAY\[(.*?)\]", r"IN \1", re.sub(r"[()]", "", words))
    return re.sub(r"\s+", " ", words).strip()


def defaults_differ(*compared: object) -> bool:
    """Compare a column's default as stored with the one described; Alembic trips over empty text.

    The last three of what Alembic passes: as stored, as an object, as text.
    """
    stored, _, described = compared[-3:]
    return (None if stored is None else plain(str(stored)).strip("'")) != described


# Not multiprocessing: it would run the main module again, which the page tests have replaced.
MIGRATING = """
import sys
from lib.store.engine import open_engine
from lib.store.migrate import _config, migrate
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate(engine)
"""


def start_migrating(url: str) -> subprocess.Popen[str]:
    """Start a process that migrates when it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATING, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def upgrade_to(connection: Connection, revision: str) -> None:
    """Apply the migrations up to `revision`."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


class TestMigrations:
    """Migrations from an empty database to the newest tables."""

    def test_they_build_what_the_tables_describe(self, engine: Engine):
        """Alembic finds no difference in tables, columns, indexes or foreign keys."""
        with reading(engine) as connection:
            options = {"compare_type": True, "compare_server_default": defaults_differ}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, tables.metadata) == []

    def test_the_conditions_of_partial_indexes_are_the_same(self, engine: Engine):
        """The conditions of partial indexes are equal; Alembic does not compare them."""
        with reading(engine) as connection:
            described = {
                index.name: index.dialect_options[engine.dialect.name]["where"]
                for table in tables.metadata.tables.values()
                for index in table.indexes
            }
            assert index_conditions(connection) == {
                name: plain(str(where)) for name, where in described.items() if where is not None
            }
            assert "state = 'pending'" in index_conditions(connection).values()

    def test_the_checks_are_the_same(self, engine: Engine):
        """Names and conditions of checks are equal; Alembic does not compare them either."""
        with reading(engine) as connection:
            found = {
                check["name"]: plain(check["sqltext"])
                for name in tables.metadata.tables
                for check in inspect(connection).get_check_constraints(name)
            }
        described = {
            check.name: plain(str(check.sqltext))
            for table in tables.metadata.tables.values()
            for check in table.constraints
            if isinstance(check, CheckConstraint)
        }
        assert set(found) == set(described)
        if engine.dialect.name == "sqlite":  # PostgreSQL prints them in words of its own
            assert found == described

    def test_every_constraint_has_a_name(self, engine: Engine):
        """Every constraint has a name, so that an error can be identified by it."""
        with reading(engine) as connection:
            seen = inspect(connection)
            names = [
                constraint["name"]
                for table in tables.metadata.tables
                for constraint in (
                    seen.get_pk_constraint(table),
                    *seen.get_foreign_keys(table),
                    *seen.get_check_constraints(table),
                )
            ]
        assert len(names) > 25
        assert [name for name in names if not re.match("(pk|fk|ck)_", name or "")] == []

    def test_a_second_time_writes_nothing(self, engine: Engine):
        """A migrated database is only read, so a lock of another writer does not matter."""
        with writing(engine):
            migrate(engine)

    def test_two_processes_at_once(self, empty_url: str):
        """One process migrates, the other waits, and both succeed."""
        runs = [start_migrating(empty_url) for _ in range(PROCESSES)]
        for run in runs:
            run.stdin.write("go\n")
            run.stdin.flush()
        for run in runs:
            run.communicate(timeout=60)
        assert [run.returncode for run in runs] == [0] * PROCESSES
        engine = open_engine(empty_url)
        with reading(engine) as connection:
            assert set(inspect(connection).get_table_names()) == {
                *tables.metadata.tables,
                "alembic_version",
            }
            versions = connection.execute(text("SELECT count(*) FROM alembic_version"))
            assert versions.scalar_one() == 1
        engine.dispose()

    def test_a_migration_that_fails_leaves_nothing(self, empty_url: str):
        """A migration that fails on an existing table leaves no other table."""
        engine = open_engine(empty_url)
        with writing(engine) as connection:
            connection.execute(text("CREATE TABLE token (x integer)"))
        with pytest.raises(Exception, match="token"):
            migrate(engine)
        with reading(engine) as connection:
            assert inspect(connection).get_table_names() == ["token"]
        engine.dispose()

    def test_a_database_with_counted_guesses_loses_the_counts_alone(self, empty_url: str):
        """0004 drops the counts table of 0003, and nothing else."""
        engine = open_engine(empty_url)
        with writing(engine) as connection:
            upgrade_to(connection, "0003")
            connection.execute(text("INSERT INTO failed_attempt VALUES ('token', 'a', 1, 1)"))
            before = set(inspect(connection).get_table_names())
        migrate(engine)
        with reading(engine) as connection:
            assert before - set(inspect(connection).get_table_names()) == {"failed_attempt"}
        engine.dispose()

    def test_accounts_that_are_there_get_their_key(self, empty_url: str):
        """0006 fills it for letters of any script."""
        engine = open_engine(empty_url)
        names = ["jdoe", "JDoe", "zo\u00eb", "ZO\u00cb", "stra\u00dfe", "\u592a\u90ce"]
        with writing(engine) as connection:
            upgrade_to(connection, "0005")
            statement = "INSERT INTO user_account (username, name, email) VALUES (:u, 'x', '')"
            connection.execute(text(statement), [{"u": name} for name in names])
        migrate(engine)
        with reading(engine) as connection:
            rows = connection.execute(text("SELECT username, username_key FROM user_account"))
            assert dict(map(tuple, rows)) == {name: caseless(name) for name in names}
        engine.dispose()
