"""For each of many tests a copy of a migrated PostgreSQL database, which is made once."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from lib.store.engine import open_engine
from lib.store.migrate import migrate


@pytest.fixture(scope="session")
def migrated(postgresql: str) -> Iterator[str]:
    """The address of a migrated database without rows, whose server does not wait for the disk."""
    address = postgresql.replace("postgresql://", "postgresql+psycopg://")
    execute(address, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    execute(address, "CREATE DATABASE migrated")
    engine = open_engine(address.replace("/postgres?", "/migrated?"))
    migrate(engine)
    engine.dispose()
    yield address
    execute(address, "DROP DATABASE migrated WITH (FORCE)")


@pytest.fixture
def postgresql_url(migrated: str) -> Iterator[str]:
    """A copy of the migrated database."""
    name = f"desk_{uuid.uuid4().hex}"
    execute(migrated, f"CREATE DATABASE {name} TEMPLATE migrated")
    yield migrated.replace("/postgres?", f"/{name}?")
    execute(migrated, f"DROP DATABASE {name} WITH (FORCE)")


def execute(address: str, *statements: str) -> None:
    """Execute statements that need no transaction around them."""
    engine = open_engine(address)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
