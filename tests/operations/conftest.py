"""For each of many tests a copy of a migrated PostgreSQL database."""

import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import execute


@pytest.fixture
def postgresql_url(migrated: str) -> Iterator[str]:
    """A copy of the migrated database."""
    name = f"desk_{uuid.uuid4().hex}"
    execute(migrated, f"CREATE DATABASE {name} TEMPLATE migrated")
    yield migrated.replace("/postgres?", f"/{name}?")
    execute(migrated, f"DROP DATABASE {name} WITH (FORCE)")
