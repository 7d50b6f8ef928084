"""Settings, folders, databases and keys that cannot be used: dashboard, API and commands agree.

Everything runs in this process. tests/test_starts.py starts real ones.
"""

import contextlib
import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from lib import cli
from lib.domain.roles import Grant, Role
from lib.domain.token_format import mint
from lib.operations.database import open_with
from lib.operations.grants import grant_by_command
from lib.settings import ROOT, UnsafeSettingsError, read_settings
from lib.ui.app_context import _open
from lib.web.api_endpoints import LazyApi, routes
from lib.web.factory import make_api
from tests.support.file_owner import ordinary_user

KEY, OTHER_KEY = f"1:{'ab' * 32}", f"1:{'cd' * 32}"
PORT = "with a port from 1 to 65535"

#: The setting, its bad value, and part of the sentence.
BAD_SETTINGS = [
    ("DATABASE_URL", "postgresql://db/desk?schema=public", "must not have the option schema"),
    ("DATABASE_URL", "postgresql://db/desk?pgbouncer=true", "must not have the option pgbouncer"),
    ("DATABASE_URL", "postgresql://db:port/desk", PORT),
    ("DATABASE_URL", "postgresql://db:54321234/desk", PORT),
    ("DATABASE_URL", "sqlite:///:memory:", "must name a file"),
    ("DATABASE_URL", '"postgresql://db/desk"', "must not have quotation marks around it"),
    ("DATABASE_URL", "mysql://db/desk", "must start with postgresql:// or sqlite:///"),
    ("TOKEN_DESK_TOKEN_HEADER", "Authorization", "must not be Authorization"),
    ("TOKEN_DESK_PROXY_HEADER", "Cookie", "must not be Cookie"),
    ("TOKEN_DESK_OIDC_METADATA_URL", "https://id.example.com/", "must be the address of the"),
    ("TOKEN_DESK_PEPPERS", "1:abcd", "must have 64 hex digits"),
    ("TOKEN_DESK_DATA", "~/desk", "must not begin with ~"),
]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Remove all settings; return a function that sets some. Data goes to the test's folder."""
    for name in list(os.environ):
        if name.startswith("TOKEN_DESK_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)

    def change(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    change(TOKEN_DESK_DATA=str(tmp_path / "data"))
    return change


def dashboard() -> str:
    """Return the sentence in the error of the first page; empty if it opens."""
    page = AppTest.from_file(ROOT / "pages" / "navigation.py", default_timeout=20).run()
    assert not page.exception
    return page.error[0].value if page.error else ""


@contextlib.contextmanager
def api() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the sentence in the API's 503; empty if it is ready."""
    lazy_api = LazyApi(lambda: make_api(*open_with(read_settings()), read_settings()))
    (token,) = mint(1, "demo")

    def ask() -> str:
        answers = [
            client.get("/readyz"),
            client.get("/api/v1/verify", headers={"authorization": f"Bearer {token}"}),
        ]
        if answers[0].status_code == 200:
            return ""
        assert [(a.status_code, a.headers["retry-after"]) for a in answers] == [(503, "5")] * 2
        first, second = (a.json()["error_description"] for a in answers)
        assert first == second
        return str(first)

    with TestClient(Starlette(routes=routes(lazy_api), lifespan=lazy_api.lifespan)) as client:
        yield ask


def command(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the sentence of a command that has the exit status 1; empty if it works."""
    capsys.readouterr()
    status = cli.main(["grants"])
    told = capsys.readouterr().err.strip()
    assert status == bool(told)
    return told


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Return the sentence that page, API and command all show."""
    _open.cache_clear()

    def ask() -> str:
        with api() as ask_api:
            sentences = {dashboard(), ask_api(), command(capsys)}
        assert len(sentences) == 1
        return sentences.pop()

    yield ask
    if _open.cache_info().currsize:
        _open().engine.dispose()
    _open.cache_clear()


@pytest.mark.parametrize(("name", "value", "sentence"), BAD_SETTINGS)
def test_a_bad_setting_stops_dashboard_api_and_command_with_one_sentence(
    settings, tmp_path, name, value, sentence
):
    """The exit status is 1, and nothing is written."""
    settings(**{name: value})
    texts = set()
    for start in (
        lambda: runpy.run_path(str(ROOT / "app.py")),
        lambda: runpy.run_module("lib.web.api"),
        lambda: cli.main(["grants"]),
    ):
        with pytest.raises(UnsafeSettingsError) as caught:
            start()
        texts.add(caught.value.code)  # Python prints a text and exits with 1
    (text,) = texts
    print(f"{name}={value}: {text}, exit status 1 three times")
    assert text.startswith(f"Token Desk does not start:\n- {name}: ")
    assert sentence in text
    assert list(tmp_path.iterdir()) == []


def no_folder(folder: Path, settings: Callable[..., None]) -> None:
    """The database's folder is missing."""
    settings(DATABASE_URL=f"sqlite:///{folder}/none/desk.db")


def file_for_folder(folder: Path, settings: Callable[..., None]) -> None:
    """A file stands where the data folder should be."""
    (folder / "data").touch()
    settings(TOKEN_DESK_DATA=str(folder / "data"))


def closed_folder(folder: Path, settings: Callable[..., None]) -> None:
    """The data folder cannot be made."""
    folder.chmod(0o500)
    settings(TOKEN_DESK_DATA=str(folder / "data"))


def closed_file(folder: Path, settings: Callable[..., None]) -> None:
    """The file belongs to somebody else."""
    (folder / "desk.db").touch(mode=0o000)
    settings(DATABASE_URL=f"sqlite:///{folder}/desk.db")


def folder_for_file(folder: Path, settings: Callable[..., None]) -> None:
    """The URL names a folder."""
    settings(DATABASE_URL=f"sqlite:///{folder}")


def no_database(folder: Path, settings: Callable[..., None]) -> None:
    """The file is something else."""
    (folder / "desk.db").write_text("no database\n" * 1_000)
    settings(DATABASE_URL=f"sqlite:///{folder}/desk.db")


def cut_pepper(folder: Path, settings: Callable[..., None]) -> None:
    """The demo's pepper is damaged."""
    (folder / "pepper").write_text("1:abcd\n")
    settings(TOKEN_DESK_DATA=str(folder))


def closed_pepper(folder: Path, settings: Callable[..., None]) -> None:
    """The demo's pepper belongs to somebody else."""
    (folder / "pepper").touch(mode=0o000)
    settings(TOKEN_DESK_DATA=str(folder))


def no_server(_folder: Path, settings: Callable[..., None]) -> None:
    """Nothing listens at the port."""
    settings(DATABASE_URL="postgresql://127.0.0.1:1/desk", TOKEN_DESK_PEPPERS=KEY)


def other_pepper(folder: Path, settings: Callable[..., None]) -> None:
    """README's order: a directory under the demo's pepper, and the setting afterwards."""
    settings(TOKEN_DESK_DATA=str(folder), DATABASE_URL=f"sqlite:///{folder}/desk.db")
    assert cli.main(["grants"]) == 0
    settings(TOKEN_DESK_PEPPERS=OTHER_KEY)


def lost_pepper(folder: Path, settings: Callable[..., None]) -> None:
    """The demo's pepper was deleted, and the database was kept."""
    settings(TOKEN_DESK_DATA=str(folder))
    assert cli.main(["grants"]) == 0
    (folder / "pepper").unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (no_folder, "The database cannot be opened: its folder does not exist. Nothing was chan"),
        (file_for_folder, "The folder of TOKEN_DESK_DATA cannot be used: Not a directory. Nothi"),
        (closed_folder, "The folder of TOKEN_DESK_DATA cannot be used: Permission denied. Nothin"),
        (closed_file, "The database cannot be opened: its file or folder is closed to this user"),
        (folder_for_file, "The database cannot be opened: DATABASE_URL names a folder. Nothing"),
        (no_database, "The database cannot be opened: its file is no SQLite database. Nothing w"),
        (cut_pepper, "The file pepper in the folder of TOKEN_DESK_DATA is damaged: it must have"),
        (closed_pepper, "The demo's pepper cannot be stored or read in the folder of TOKEN_DESK"),
        (no_server, "The database cannot be reached. Nothing was changed; check DATABASE_URL"),
        (lost_pepper, "The file pepper in the folder of TOKEN_DESK_DATA holds another key than t"),
        (other_pepper, "TOKEN_DESK_PEPPERS: the key with the number 1 is another one than this"),
    ],
)
def test_what_cannot_be_opened_gets_the_same_sentence_from_page_api_and_command(
    settings, told, caplog, spoil, sentence
):
    """The API answers 503, and the command has the exit status 1."""
    with ordinary_user() as folder:
        spoil(folder, settings)
        text = told()
    assert caplog.messages.count(text) == 1  # of the API, which was asked twice
    print(f"{spoil.__name__}: {text} (page, API 503, exit status 1)")
    assert text.startswith(sentence)


def test_readmes_order_with_a_database_in_use_gives_no_false_alarm(settings, told, capsys):
    """First the demo's pepper; then that one with its number, and a new one with the next."""
    with ordinary_user() as folder:
        settings(DATABASE_URL=f"sqlite:///{folder}/desk.db", TOKEN_DESK_DATA=str(folder))
        users = folder / "users.csv"
        users.write_text("username,name,email,organization_id,status\nmhale,Morgan,,,active\n")
        assert cli.main(["import", "--users", str(users)]) == 0
        old = (folder / "pepper").read_text().strip()
        settings(TOKEN_DESK_PEPPERS=f"{old},2:{'cd' * 32}")
        assert told() == ""
        assert cli.main(["grant", "mhale", "administrator"]) == 0
        assert cli.main(["audit", "verify"]) == 0
        capsys.readouterr()
        settings(TOKEN_DESK_PEPPERS=OTHER_KEY)
        assert cli.main(["audit", "verify"]) == 1
        output = capsys.readouterr()
    assert "event 1 of " in output.err
    assert "was sealed with another key than the one that TOKEN_DESK_PEPPERS has" in output.err
    assert "changed" not in output.err
    assert (
        output.out == "1 of 1 chain not verified without its key; 0 events before that correct.\n"
    )


class TestWhileRunning:
    """What page, API and commands say about a file that changes under a running server."""

    @pytest.fixture
    def desk(self, settings) -> Iterator[Path]:
        """The path of a database that was filled with the demo's directory."""
        _open.cache_clear()
        with ordinary_user() as folder:
            settings(TOKEN_DESK_DATA=str(folder))
            assert dashboard() == ""
            yield folder / "token-desk.db"
            _open().engine.dispose()
        _open.cache_clear()

    def test_a_deleted_file_is_named_by_page_and_api_and_nothing_is_written(self, desk):
        """It works again when it is put back."""
        with api() as ask_api:
            assert ask_api() == ""
            moved = desk.rename(desk.with_suffix(".moved"))
            assert (
                dashboard()
                == ask_api()
                == (
                    "The database's file was deleted while Token Desk was running. Nothing was "
                    "changed. Put it back, or restart Token Desk to use what is there now."
                )
            )
            assert not desk.exists()
            moved.rename(desk)
            assert (dashboard(), ask_api()) == ("", "")

    def test_a_replaced_file_is_named_by_page_and_api(self, desk, capsys):
        """A command made the other file: it is a process of its own, and works with that."""
        with api() as ask_api:
            assert ask_api() == ""
            for file in desk.parent.glob("token-desk.db*"):
                file.unlink()
            assert command(capsys) == ""
            assert dashboard() == ask_api()
            assert ask_api().startswith("The database's file was replaced while Token Desk was ru")

    def test_a_file_read_only_at_the_start_when_writable_is_written_without_a_restart(
        self, desk, capsys
    ):
        """Reads work before; a command that writes has the exit status 1."""
        _open().engine.dispose()
        _open.cache_clear()
        desk.chmod(0o400)
        assert dashboard() == ""
        with api() as ask_api:
            assert ask_api() == ""
        capsys.readouterr()
        assert cli.main(["grant", "dnakano", "analyst"]) == 1
        assert "The database is read-only. Nothing was changed; as" in capsys.readouterr().err
        desk.chmod(0o600)
        unit_of_work = _open().unit_of_work
        assert grant_by_command(unit_of_work, "dnakano", [Grant(Role.ANALYST)])
