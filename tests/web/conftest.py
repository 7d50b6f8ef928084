"""A SQLite database for many small tests."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from lib.operations.database import open_database
from tests.support.directory import SERVICE, build

OTHER_SERVICE = "epayments"


@pytest.fixture(scope="module")
def one_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A SQLite database with three users and two services, for all tests of a file."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('web') / 'desk.db'}")
    build(engine, 3, services=(SERVICE, OTHER_SERVICE))
    yield engine
    engine.dispose()
