"""What every page of this process shares: settings, database, clock, keys and the vault."""

import threading
from dataclasses import dataclass, field

import streamlit as st
from sqlalchemy import Engine

from lib.demo import fill_demo, is_empty
from lib.domain import clock
from lib.domain.clock import Clock
from lib.domain.secrets import Minting
from lib.operations.opening import open_store
from lib.operations.vault import Vault
from lib.settings import Settings, read_settings

_opening = threading.Lock()


@dataclass(frozen=True)
class Desk:
    """The parts that use cases are given. None of them is ever shown."""

    settings: Settings = field(repr=False)
    engine: Engine = field(repr=False)
    minting: Minting = field(repr=False)
    vault: Vault = field(repr=False)
    clock: Clock = field(default=clock.now, repr=False)


def desk() -> Desk:
    """Return this process's desk; the first call opens the database and fills an empty default."""
    with _opening:
        return _open()


@st.cache_resource(show_spinner="Opening the database …")
def _open() -> Desk:
    settings = read_settings()
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = open_store(settings.url)
    minting = Minting(settings.token_prefix, settings.pepper_keys)
    if settings.default_database and is_empty(engine):
        fill_demo(engine, minting, clock.now())
    return Desk(settings, engine, minting, Vault())
