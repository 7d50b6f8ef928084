"""A copy of the demo database for each test, and the pages in their frame."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from lib.demo.demo_data import fill_demo
from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.roles import Grant, Role
from lib.domain.token_format import Minting
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import ROOT, Settings
from lib.store.engine import open_engine, writing
from lib.store.migrate import migrate
from lib.ui.app_context import _open, app_context
from lib.ui.auth import sign_in
from tests.support.directory import add_staff

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _no_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip AppTest's search for components in all packages: it takes longer than a page."""
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", list)


@pytest.fixture(autouse=True)
def _address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the browser an address: AppTest has no connection, and so no address."""
    monkeypatch.setattr(sign_in, "client_address", lambda: "192.0.2.9")


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demo database and its pepper, made once."""
    settings = Settings(data=tmp_path_factory.mktemp("demo"))
    engine = open_engine(settings.url)
    migrate(engine)
    peppers = settings.pepper_keys
    unit_of_work = UnitOfWork(engine, clock.now, AuditKeyring.of(peppers))
    fill_demo(unit_of_work, Minting(settings.token_prefix, peppers), history=False)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    return settings.data


@pytest.fixture
def demo(demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The engine of a new app context whose database has the demo data."""
    shutil.copytree(demo_folder, tmp_path / "data")
    yield from _new_app_context(tmp_path / "data", monkeypatch)


@pytest.fixture
def empty(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """The engine of a new app context whose database has one API administrator only."""
    (tmp_path / "data").mkdir()
    database = shutil.copy(migrated_sqlite, tmp_path / "data" / "empty.db")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{database}")
    for engine in _new_app_context(tmp_path / "data", monkeypatch):
        with writing(engine) as connection:
            add_staff(connection, "admin", "Ada Min", Grant(Role.ADMINISTRATOR))
        yield engine


@pytest.fixture
def open_page(demo: Engine) -> Open:  # noqa: ARG001 - makes the database of the page
    """Open a page on the demo data: `open_page("contact", org="UTCJF1", person="adoyle")`."""
    return _open_page


@pytest.fixture
def open_empty(empty: Engine) -> Open:  # noqa: ARG001 - makes the database of the page
    """Open a page on an empty directory."""
    return _open_page


def _open_page(page: str, *, person: str = "", by_menu: bool = False, **place: str) -> AppTest:
    """Open a page as by its address, or from the start page.

    Another person begins there, and AppTest finds a page whose file is not named like its address
    only when the pages are declared.
    """
    at = AppTest.from_file(ROOT / "pages" / "navigation.py", default_timeout=20)
    for name, value in place.items():
        at.query_params[name] = value
    if person:
        at.session_state["signed_in_as"] = person
    if person or by_menu or "_" in page:
        at.run()
    return at.switch_page(f"{page}.py").run()


def _new_app_context(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("TOKEN_DESK_DATA", str(data))
    _open.cache_clear()
    engine = app_context().engine
    yield engine
    _open.cache_clear()
    engine.dispose()
