"""How a process comes by its database."""

from sqlalchemy import Engine

from lib.store.engine import open_engine
from lib.store.migrate import migrate


def open_database(url: str) -> Engine:
    """Return an engine for `url` with the newest tables. Raises StoreUnavailable and its kinds."""
    engine = open_engine(url)
    migrate(engine)
    return engine
