"""What all pages of this process share: settings, database, clock, keys and one-time secrets."""

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import streamlit as st
from sqlalchemy import Engine

from lib.demo.demo_data import fill_demo, is_empty
from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.clock import Clock
from lib.domain.token_format import Minting
from lib.operations.database import open_database
from lib.operations.grants import appoint_first
from lib.operations.one_time_secrets import OneTimeSecrets
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings, read_settings
from lib.streamlit_internals.runtime import session_id

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
    with _spinner(), _opening:
        return _open()


def _spinner() -> AbstractContextManager[None]:
    """Return a spinner for the page; outside a page's run, nothing."""
    return st.spinner("Opening the database …") if session_id() else nullcontext()


# Not st.cache_resource: somebody can clear it, and every waiting one-time secret would be lost.
@cache
def _open() -> AppContext:
    settings = read_settings()
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.url)
    minting = Minting(settings.token_prefix, settings.pepper_keys)
    unit_of_work = UnitOfWork(
        engine,
        clock.now,
        AuditKeyring.of(settings.pepper_keys),
        settings.four_eyes,
        settings.request_days,
        settings.undo_days,
    )
    if settings.default_database and is_empty(engine):
        fill_demo(unit_of_work, minting)
    appoint_first(unit_of_work, settings.admins)
    return AppContext(settings, unit_of_work, minting, OneTimeSecrets())
