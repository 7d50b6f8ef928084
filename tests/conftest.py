"""A migrated, empty database on each engine; PostgreSQL is a real server from a wheel."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lib.store.engine import open_engine
from lib.store.migrate import migrate


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser's tests last: Playwright keeps an event loop running in this thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own, without a database name at its end."""
    # pgserver keeps its lock files there, and warns where the machine has no such folder.
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pgserver  # noqa: PLC0415 - only the tests that want PostgreSQL pay for it

    # Not in pytest's folder: a later run of the tests would clear that under the running server.
    with tempfile.TemporaryDirectory(prefix="desk-postgresql-", ignore_cleanup_errors=True) as data:
        server = pgserver.get_server(data)
        yield server.get_uri()
        server.cleanup()


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
def postgresql_url(postgresql: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    name = f"desk_{uuid.uuid4().hex}"
    admin = open_engine(postgresql.replace("postgresql://", "postgresql+psycopg://"))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql.replace("/postgres?", f"/{name}?").replace(
        "postgresql://", "postgresql+psycopg://"
    )
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'desk.db'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A migrated, empty database on each engine in turn."""
    engine = open_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()


def execute(address: str, *statements: str) -> None:
    """Execute statements that need no transaction around them."""
    engine = open_engine(address)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
