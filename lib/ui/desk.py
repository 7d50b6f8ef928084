"""What every page of this process shares: settings, database, clock, keys and the vault."""

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import streamlit as st
from sqlalchemy import Engine

from lib.demo import fill_demo, is_empty
from lib.domain import clock
from lib.domain.audit import Seal
from lib.domain.clock import Clock
from lib.domain.secrets import Minting
from lib.operations.grants import appoint_first
from lib.operations.ledger import Ledger
from lib.operations.opening import open_store
from lib.operations.vault import Vault
from lib.settings import Settings, read_settings
from lib.ui.session import session_id

_opening = threading.Lock()


@dataclass(frozen=True)
class Desk:
    """The parts that use cases are given. None of them is ever shown."""

    settings: Settings = field(repr=False)
    ledger: Ledger = field(repr=False)
    minting: Minting = field(repr=False)
    vault: Vault = field(repr=False)

    @property
    def engine(self) -> Engine:
        """Return the database, for reads."""
        return self.ledger.engine

    @property
    def clock(self) -> Clock:
        """Return the clock."""
        return self.ledger.clock


def desk() -> Desk:
    """Return this process's desk; the first call opens the database and fills an empty default."""
    if _open.cache_info().currsize:
        return _open()
    with _spinner(), _opening:
        return _open()


def _spinner() -> AbstractContextManager[None]:
    """Say on the page, if this is a page's run, what is waited for."""
    return st.spinner("Opening the database …") if session_id() else nullcontext()


# Not st.cache_resource: it can be cleared, and with it every secret that waits in the vault.
@cache
def _open() -> Desk:
    settings = read_settings()
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = open_store(settings.url)
    minting = Minting(settings.token_prefix, settings.pepper_keys)
    ledger = Ledger(
        engine,
        clock.now,
        Seal.of(settings.pepper_keys),
        settings.four_eyes,
        settings.request_days,
    )
    if settings.default_database and is_empty(engine):
        fill_demo(ledger, minting)
    appoint_first(ledger, settings.admins)
    return Desk(settings, ledger, minting, Vault())
