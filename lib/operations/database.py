"""Opening the database of a process."""

from sqlalchemy import Engine

from lib.store.engine import open_engine
from lib.store.migrate import migrate


def open_database(url: str) -> Engine:
    """Return an engine for `url` with the newest tables.

    Raises DatabaseUnavailableError or one of its subclasses.
    """
    engine = open_engine(url)
    migrate(engine)
    return engine
