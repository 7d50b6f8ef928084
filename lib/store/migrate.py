"""Migration of a database to the newest tables. The first process does it, others wait."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from lib.store.engine import migrating, reading

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x746F6B656E  # "token", the key of PostgreSQL's advisory lock of a migration


def migrate(engine: Engine) -> None:
    """Apply the missing migrations in one transaction. Raises DatabaseUnavailableError."""
    if is_newest(engine):
        return  # a usual start writes nothing, so it works on a read-only database
    config = _config()
    with migrating(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_newest(engine: Engine) -> bool:
    """Tell whether no migration is missing. Raises DatabaseUnavailableError."""
    with reading(engine) as connection:
        return _revision(connection) == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
