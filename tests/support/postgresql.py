"""PostgreSQL databases for tests. A migrated one is emptied and reused, which saves minutes."""

import contextlib
import uuid
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, make_url, text

from lib.operations.database import open_database
from lib.store import tables
from lib.store.engine import open_engine

# What a test may have changed beside rows: tables, columns, triggers, constraints, functions,
# settings of the database, and the version of the tables.
_SHAPE = """
SELECT (SELECT string_agg(concat(oid, relname), ' ' ORDER BY oid) FROM pg_class),
    (SELECT string_agg(concat(attrelid, attname, atttypid, attnotnull), ' '
        ORDER BY attrelid, attnum) FROM pg_attribute WHERE attrelid > 16383),
    (SELECT string_agg(concat(oid, tgenabled), ' ' ORDER BY oid) FROM pg_trigger),
    (SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_constraint),
    (SELECT string_agg(concat(oid, prosrc), ' ' ORDER BY oid) FROM pg_proc WHERE oid > 16383),
    (SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
        WHERE d.datname = current_database()),
    (SELECT string_agg(version_num, ' ') FROM alembic_version)
"""
#: In milliseconds the server waits for their end; a look takes it 100, if any is left.
_END_CONNECTIONS = "SELECT pg_terminate_backend(pid, {wait}) FROM pg_stat_activity WHERE datname = "
_END_OTHERS = f"{_END_CONNECTIONS} current_database() AND pid <> pg_backend_pid()"
_WAIT = 5_000
_WITH_ROWS = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in tables.metadata.tables
)


class Databases:
    """Migrated databases without rows, on one server.

    A connection to each stays open: a new one would read the catalog anew, which takes longer than
    to delete the rows. DELETE takes a quarter of the time of TRUNCATE, which makes new files.
    """

    def __init__(self, server: str) -> None:
        """Migrate one database, which is the template of the others."""
        self._server = server
        self._idle: list[str] = []
        self._engines: dict[str, Engine] = {}
        self._template = new_database(server)
        engine = open_database(self._template)
        with engine.connect() as connection:
            self._shape = _shape(connection)
        engine.dispose()

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        """Lend the address of a database. The test may leave anything in it."""
        template = str(make_url(self._template).database)
        address = self._idle.pop() if self._idle else new_database(self._server, template)
        yield address
        if self._emptied(address):
            self._idle.append(address)
        else:
            self._engines.pop(address).dispose()

    def end(self) -> None:
        """Close the connections."""
        for engine in self._engines.values():
            engine.dispose()

    def _emptied(self, address: str) -> bool:
        """Delete all rows. Return whether the database is as a new one again."""
        if address not in self._engines:
            self._engines[address] = open_engine(address)
        with self._engines[address].begin() as connection:
            connection.execute(text(_END_OTHERS.format(wait=0)))  # they end during what follows
            same = _shape(connection) == self._shape
            full = list(connection.execute(text(_WITH_ROWS)).scalars()) if same else []
            if full:
                # So that the triggers of the audit trail, which refuse this, are not asked.
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                connection.execute(text("; ".join(f"DELETE FROM {name}" for name in full)))
            connection.execute(text(_END_OTHERS.format(wait=_WAIT)))
        return same


def _shape(connection: Connection) -> tuple[object, ...]:
    return tuple(connection.execute(text(_SHAPE)).one())


def new_database(server: str, template: str = "template1") -> str:
    """Create a database and return its address. It is deleted with the server."""
    name = f"desk_{uuid.uuid4().hex}"
    execute(
        server,
        f"{_END_CONNECTIONS.format(wait=_WAIT)} '{template}'",  # or it cannot be copied
        # Copied as files, which is quick where nobody waits for the disk.
        f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy",
    )
    return server.replace("/postgres?", f"/{name}?")


@contextlib.contextmanager
def database(server: str, template: str = "template1") -> Iterator[str]:
    """Create a database for one use, and drop it afterwards."""
    address = new_database(server, template)
    yield address
    execute(server, f"DROP DATABASE {make_url(address).database} WITH (FORCE)")


def execute(address: str, *statements: str) -> None:
    """Execute statements outside of a transaction."""
    engine = open_engine(address)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
