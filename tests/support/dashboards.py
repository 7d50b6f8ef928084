"""Dashboards as processes of their own, and the demo data that they show."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from lib.demo.demo_data import fill_demo
from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.token_format import Minting
from lib.operations.database import open_database
from lib.operations.unit_of_work import UnitOfWork
from lib.store.engine import open_engine, writing
from tests.support.browser import PATIENCE
from tests.support.processes import free_port, wait_until_ready

ROOT = Path(__file__).parents[2]
PEPPER = b"b" * 32
_STREAMLIT = ("streamlit", "run", "app.py", "--server.headless=true", "--logger.level=debug")


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard."""

    address: str
    database: str
    log: Path
    pid: int

    def execute(self, statement: str, **values: object) -> list[tuple]:
        """Read or change the database by hand; return the rows."""
        engine = open_engine(self.database)
        with writing(engine) as connection:
            result = connection.execute(text(statement), values)
            rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.execute(f"SELECT count(*) FROM {table}")[0][0])


class Dashboards:
    """Starts dashboards, each in a folder of its own, and ends them all."""

    def __init__(self, new_folder: Callable[[str], Path]) -> None:
        self._new_folder = new_folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._by_settings: dict[frozenset[tuple[str, str]], Dashboard] = {}

    def showing(self, content: Path, **settings: str) -> Dashboard:
        """Return the dashboard with these settings, and a SQLite file's content as its own."""
        key = frozenset(settings.items())
        if key not in self._by_settings:
            self._by_settings[key] = self.start(content=content, **settings)
        else:
            restore(self._by_settings[key].database, content)
        return self._by_settings[key]

    def start(
        self,
        *,
        database: str = "",
        content: Path | None = None,
        command: tuple[str, ...] = _STREAMLIT,
        **settings: str,
    ) -> Dashboard:
        """Start a dashboard on a database, or on its own with a SQLite file's content or none.

        In the settings `{port}` stands for its port.
        """
        folder, port = self._new_folder("dashboard"), free_port()
        environment = _environment(folder, {k: v.format(port=port) for k, v in settings.items()})
        if database:
            environment["DATABASE_URL"] = database
        database = database or f"sqlite:///{folder / 'token-desk.db'}"  # the default place
        if content:
            restore(database, content)
        option = f"--server.port={port}" if command[0] == "streamlit" else f"--port={port}"
        log = folder / "server.log"
        process = self.run(["-m", *command, option], log, environment)
        address = f"http://localhost:{port}"
        wait_until_ready(f"{address}/_stcore/health", process, log)
        return Dashboard(address, database, log, process.pid)

    def run(
        self, arguments: list[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start Python with these arguments, beside the dashboards."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End every process."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(timeout=PATIENCE)


def _environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a dashboard, with no setting of this process."""
    ours = ("TOKEN_DESK_", "DATABASE_URL")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "TOKEN_DESK_DATA": str(folder),
        "TOKEN_DESK_PEPPERS": f"1:{PEPPER.hex()}",
        "PYTHONUNBUFFERED": "1",
        **{f"TOKEN_DESK_{name.upper()}": value for name, value in settings.items()},
    }


def fill(database: str) -> None:
    """Fill a database with demo data, in which Tadhg O'Keefe is inactive."""
    engine = open_database(database)
    peppers = {1: PEPPER}
    unit_of_work = UnitOfWork(engine, clock.now, AuditKeyring.of(peppers))
    fill_demo(unit_of_work, Minting("demo", peppers), history=False)
    engine.dispose()


def restore(database: str, content: Path) -> None:
    """Replace the content of a SQLite database, which may be in use, by that of a file."""
    source, target = open_engine(f"sqlite:///{content}"), open_engine(database)
    with source.connect() as there, target.connect() as here:
        there.connection.driver_connection.backup(here.connection.driver_connection)
    source.dispose()
    target.dispose()
