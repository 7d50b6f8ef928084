"""Check values of keys, and databases that are older than they are."""

import pytest
from sqlalchemy import Engine, text

from lib.domain.audit import AuditKeyring
from lib.domain.roles import Grant, Role
from lib.operations.grants import grant_by_command
from lib.store import key_check_queries
from lib.store.engine import reading, writing
from tests.support.directory import build, unit_of_work

OLD, NEW = b"p" * 32, b"n" * 32  # OLD is the key of the tests' own unit of work


@pytest.fixture
def used(engine: Engine) -> Engine:
    """A database with events under the key OLD, number 1, and without check values."""
    build(engine, 3)
    for role in (Role.SUPPORT, Role.ANALYST):
        grant_by_command(unit_of_work(engine), "utcjf1-u0", [Grant(role), Grant(role, "UTCJF1")])
    return engine


def unfitting(engine: Engine, **keys: bytes) -> set[int]:
    """Return the numbers of keys that do not fit; `key_1` is the key with the number 1."""
    keyring = AuditKeyring.of({int(name.removeprefix("key_")): k for name, k in keys.items()})
    with reading(engine) as connection:
        return key_check_queries.unfitting(connection, keyring)


class TestStored:
    """Check values as stored."""

    def test_a_number_that_is_known_keeps_its_value(self, engine):
        """Of two processes that start at once, the first one decides."""
        with writing(engine) as connection:
            key_check_queries.add(connection, {1: b"first"})
            key_check_queries.add(connection, {1: b"second", 2: b"two"})
            assert key_check_queries.known(connection) == {1: b"first", 2: b"two"}

    def test_a_check_value_reveals_no_key(self):
        """It is a digest under the key of the audit trail, itself one of the pepper."""
        keyring = AuditKeyring.of({1: OLD})
        assert keyring.check_values[1] not in {OLD, keyring.keys[1]}
        assert len(keyring.check_values[1]) == 32


class TestOlderDatabases:
    """Databases with events, and without check values."""

    def test_the_key_that_sealed_the_events_fits(self, used):
        """Beside it, a new key that no event names."""
        assert unfitting(used, key_1=OLD, key_2=NEW) == set()

    def test_another_key_under_the_number_does_not_fit(self, used):
        """It fits none of the events."""
        assert unfitting(used, key_1=NEW) == {1}

    def test_an_event_that_was_changed_does_not_decide(self, used):
        """The others still fit, so it is the event that is wrong, and not the key."""
        with writing(used) as connection:
            if used.dialect.name == "sqlite":
                connection.execute(text("DROP TRIGGER audit_event_no_update"))
            else:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("UPDATE audit_event SET actor = 'x' WHERE number = 1"))
        assert unfitting(used, key_1=OLD) == set()

    def test_a_database_without_events_fits_any_key(self, engine):
        """A new one."""
        assert unfitting(engine, key_1=NEW) == set()
