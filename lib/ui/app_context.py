"""What all pages of this process share: settings, database, clock, keys and one-time secrets."""

import threading
from dataclasses import dataclass, field
from functools import cache

import streamlit as st
from sqlalchemy import Engine

from lib.demo.demo_data import fill_demo, is_empty
from lib.domain.clock import Clock
from lib.domain.token_format import Minting
from lib.operations.database import open_with
from lib.operations.grants import appoint_first
from lib.operations.secret_retention import OneTimeSecrets
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings, read_settings

_opening = threading.Lock()


@dataclass(frozen=True)
class AppContext:
    """The parts that use cases need. `repr` hides them, because some hold secrets."""

    settings: Settings = field(repr=False)
    unit_of_work: UnitOfWork = field(repr=False)
    minting: Minting = field(repr=False)
    one_time_secrets: OneTimeSecrets = field(repr=False)

    @property
    def engine(self) -> Engine:
        """Return the database engine, for reads."""
        return self.unit_of_work.engine

    @property
    def clock(self) -> Clock:
        """Return the clock: a function that gives the time in milliseconds since 1970, UTC."""
        return self.unit_of_work.clock


def app_context() -> AppContext:
    """Return the context of this process.

    The first call opens the database, and fills an empty default database with demo data.
    """
    if _open.cache_info().currsize:
        return _open()
    with _opening:
        return _open()


def open_database() -> None:
    """Open the database for a page, with a spinner while that lasts. Each page's run begins so."""
    if not _open.cache_info().currsize:
        with st.spinner("Opening the database …"):
            app_context()


# Not st.cache_resource: somebody can clear it, and every waiting one-time secret would be lost.
@cache
def _open() -> AppContext:
    settings = read_settings()
    unit_of_work, minting = open_with(settings)
    if settings.default_database and is_empty(unit_of_work.engine):
        fill_demo(unit_of_work, minting)
    appoint_first(unit_of_work, settings.admins)
    return AppContext(settings, unit_of_work, minting, OneTimeSecrets())
