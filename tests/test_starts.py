"""How the dashboard, the API's process and the commands start: settings, and files on disk."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import free_port, wait_until_ready
from tests.support.servers import ROOT

STARTS = {
    "dashboard": ("streamlit", "run", "app.py", "--server.headless=true", "--server.port={port}"),
    "dashboard by uvicorn": ("uvicorn", "app:app", "--port={port}"),
    "API": ("uvicorn", "lib.web.api:app", "--port={port}"),
    "command": ("lib.cli", "grants"),
    "import": ("lib.cli", "import", "--services", "data/demo/services.csv"),
    "demo": ("lib.demo",),
}
SERVERS = [name for name, words in STARTS.items() if "{port}" in words[-1]]


def words(start: str, port: int) -> list[str]:
    """Return the command line of a start."""
    return [sys.executable, "-m", *(word.format(port=port) for word in STARTS[start])]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a start with its data in `folder`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TOKEN_DESK_")}
    return {**inherited, "TOKEN_DESK_DATA": str(folder), **settings}


@contextlib.contextmanager
def started(start: str, log: Path, env: dict[str, str]) -> Iterator[None]:
    """Run a server that takes nothing from the modes of new files, until it answers."""
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            words(start, port), cwd=ROOT, env=env, stdout=out, stderr=out, umask=0
        )
    try:
        # The API is asked: it opens the database before it answers.
        wait_until_ready(f"http://127.0.0.1:{port}/api/v1/verify", process, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


class TestSettings:
    """A setting with a character inside that cannot be seen."""

    @pytest.mark.parametrize(
        ("start", "name", "value"),
        [
            ("command", "DATABASE_URL", "sqlite:///{folder}/a\nb.db"),
            *((start, "TOKEN_DESK_FOUR_EYES", "1\r0") for start in STARTS),
        ],
    )
    def test_it_stops_every_start(self, tmp_path, start, name, value):
        """With a sentence that names it, without a traceback; nothing is written."""
        setting = {name: value.format(folder=tmp_path)}
        run = subprocess.run(
            words(start, free_port()),
            cwd=ROOT,
            env=environment(tmp_path / "data", **setting),
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )
        assert run.returncode == 1
        assert f"- {name}: must not have a control or invisible character inside" in run.stderr
        assert "Traceback" not in run.stderr + run.stdout
        assert list(tmp_path.iterdir()) == []


class TestBasePath:
    """A start below a path, where nothing would be guarded."""

    @pytest.mark.parametrize(
        ("start", "by"),
        [
            ("dashboard", "flag"),
            ("dashboard", "variable"),
            ("dashboard", "file"),
            ("dashboard by uvicorn", "file"),  # which has no flag, and reads no such variable
        ],
    )
    def test_the_dashboard_does_not_start_below_a_path(self, tmp_path, start, by):
        """A sentence, no traceback, and nothing is written."""
        command, home = words(start, free_port()), tmp_path / "home"
        env = environment(tmp_path / "data", HOME=str(home))
        (home / ".streamlit").mkdir(parents=True)
        if by == "flag":
            command.append("--server.baseUrlPath=desk")
        elif by == "variable":
            env["STREAMLIT_SERVER_BASE_URL_PATH"] = "desk"
        else:
            settings = home / ".streamlit" / "config.toml"
            settings.write_text('[server]\nbaseUrlPath = "desk"\n')
        run = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, timeout=60, check=False, text=True
        )
        assert run.returncode == 1
        assert "Token Desk cannot be served below /desk," in run.stderr
        assert "Traceback" not in run.stderr + run.stdout
        assert not (tmp_path / "data").exists()


class TestFiles:
    """Every file that holds data of ours is made with mode 600, whatever the umask."""

    def modes(self, folder: Path) -> dict[str, str]:
        """Return the mode of every file, in octal digits."""
        return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in folder.iterdir()}

    @pytest.mark.parametrize("start", SERVERS)
    def test_a_server_that_runs(self, tmp_path, start):
        """The database, what SQLite keeps beside it, and the demo's pepper."""
        folder = tmp_path / "data"
        with started(start, tmp_path / "log", environment(folder)):
            found = self.modes(folder)
        assert {"token-desk.db", "pepper"} < set(found)
        assert any(name.startswith("token-desk.db-") for name in found)
        assert set(found.values()) == {"600"}

    @pytest.mark.parametrize("start", [name for name in STARTS if name not in SERVERS])
    def test_a_command_that_ran(self, tmp_path, start):
        """The database."""
        env = environment(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/desk.db")
        subprocess.run(
            words(start, 0), cwd=ROOT, env=env, check=True, timeout=60, umask=0, capture_output=True
        )
        assert self.modes(tmp_path)["desk.db"] == "600"
