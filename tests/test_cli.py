"""The import command: what it prints, and with which exit code."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lib import cli
from lib.cli import telling
from lib.domain.errors import StoreUnavailable
from lib.settings import ROOT
from lib.store.engine import open_engine, reading, writing
from lib.store.import_queries import wait_for_other_imports
from lib.store.migrate import migrate

FILES = {
    "organizations": "organization_id,name,type,status,state\nUTCJF1,Juniper,recipient,active,UT\n",
    "services": "service,name\nerecording,eRecording\n",
    "subscriptions": "organization_id,service,status\nUTCJF1,erecording,active\n",
    "users": "username,name,email,organization_id,status\n"
    "acastillo,Ana Castillo,acastillo@example.com,UTCJF1,active\n"
    "mhale,Morgan Hale,mhale@example.com,,active\n",
}
BAD_USER = "bad user,Ben,,UTCJF1,active\n"


@pytest.fixture
def desk(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Settings that name an empty database, without any table, on each engine in turn."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
    return url


def run(folder: Path, *options: str, **files: str | bytes) -> int:
    """Write `files` and import them; return the exit code."""
    arguments = ["import", *options]
    for name, content in files.items():
        path = folder / f"{name}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        arguments += [f"--{name}", str(path)]
    return cli.main(arguments)


def users_stored(url: str) -> int:
    """Return how many accounts the database has."""
    engine: Engine = open_engine(url)
    with reading(engine) as connection:
        count = connection.execute(text("SELECT count(*) FROM user_account")).scalar_one()
    engine.dispose()
    return count


class TestTaking:
    """Everything is good."""

    def test_one_line_a_file(self, desk, tmp_path, capsys):
        """A new database gets its tables first; then each file has its line, and the exit is 0."""
        assert run(tmp_path, **FILES) == 0
        assert capsys.readouterr().out == (
            "organizations: 1 added, 0 updated, 0 unchanged, 0 refused\n"
            "services: 1 added, 0 updated, 0 unchanged, 0 refused\n"
            "subscriptions: 1 added, 0 updated, 0 unchanged, 0 refused\n"
            "users: 2 added, 0 updated, 0 unchanged, 0 refused\n"
        )
        assert users_stored(desk) == 2

    def test_any_file_alone(self, desk, tmp_path, capsys):
        """Thousands have a comma."""
        users = "".join(f"u{n},User {n},,,inactive\n" for n in range(1_200))
        header = FILES["users"].splitlines()[0]
        assert run(tmp_path, users=f"{header}\n{users}") == 0
        assert run(tmp_path, users=f"{header}\n{users}new,New,,,active\n") == 0
        assert capsys.readouterr().out.splitlines()[1] == (
            "users: 1 added, 0 updated, 1,200 unchanged, 0 refused"
        )
        assert users_stored(desk) == 1_201

    @pytest.mark.usefixtures("desk")
    def test_unknown_columns_are_named(self, tmp_path, capsys):
        """They are ignored, and it is said."""
        assert run(tmp_path, services="service,name,Colour\nx,X,red\n") == 0
        assert "columns not known and ignored: 'colour'" in capsys.readouterr().out


class TestRefusing:
    """A row is refused."""

    def test_nothing_is_written(self, desk, tmp_path, capsys):
        """The row's line, field, value and reason are printed; the exit is 1."""
        assert run(tmp_path, **FILES | {"users": FILES["users"] + BAD_USER}) == 1
        assert capsys.readouterr().out.splitlines()[3:] == [
            "users: 2 added, 0 updated, 0 unchanged, 1 refused",
            "  line 4: username 'bad user': must be 1 to 100 characters without white space",
            "Nothing was written: mend these rows, or take the others with --skip-bad-rows.",
        ]
        assert users_stored(desk) == 0

    def test_bad_rows_can_be_skipped(self, desk, tmp_path, capsys):
        """The others are written, and the exit still is 1."""
        files = FILES | {"users": FILES["users"] + BAD_USER}
        assert run(tmp_path, "--skip-bad-rows", **files) == 1
        assert "Nothing was written" not in capsys.readouterr().out
        assert users_stored(desk) == 2

    def test_a_value_is_shown_short_and_harmless(self):
        """At most 60 characters, control characters spelled out."""
        assert telling.shown("A" * 10_000) == f"'{'A' * 59}…'"
        assert telling.shown("\x1b[2J\0\u202eX") == r"'\x1b[2J\x00\u202eX'"


class TestWrongUsage:
    """The exit is 2, one sentence a file says why, and nothing is written."""

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "the file is empty"),
            (b"a,b\n1,2\n", "the first line lacks the column service and name"),
            ("service,name\nx,Zoë\n".encode("latin-1"), "save the file as CSV UTF-8"),
            (b'service,name\nx,"X\n', "a quotation mark"),
        ],
    )
    def test_a_file_that_cannot_be_used(self, desk, tmp_path, capsys, content, sentence):
        """The sentence names the file; the good ones beside it are not taken either."""
        assert run(tmp_path, **FILES | {"services": content}) == 2
        output = capsys.readouterr()
        assert f"services: {tmp_path / 'services.csv'}: " in output.err
        assert sentence in output.err
        assert not output.out
        engine = open_engine(desk)
        with reading(engine) as connection:
            assert not engine.dialect.has_table(connection, "organization")
        engine.dispose()

    @pytest.mark.usefixtures("desk")
    def test_a_file_that_is_not_there(self, tmp_path, capsys):
        """Every file at fault has its sentence."""
        arguments = ["--users", str(tmp_path / "none.csv"), "--services", str(tmp_path)]
        assert cli.main(["import", *arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert [line.rpartition(": ")[2] for line in lines] == [
            "Is a directory.",
            "No such file or directory.",
        ]

    def test_a_file_over_the_limit_is_not_read(self, desk, tmp_path, capsys, monkeypatch):
        """The limit is a setting; one byte more is refused."""
        monkeypatch.setenv("TOKEN_DESK_IMPORT_MAX", str(len(FILES["services"])))
        assert run(tmp_path, services=FILES["services"]) == 0
        assert run(tmp_path, services=FILES["services"] + "\n") == 2
        assert "larger than 35 bytes and was not read" in capsys.readouterr().err
        assert users_stored(desk) == 0

    @pytest.mark.usefixtures("desk")
    def test_no_file_named(self, capsys):
        """The sentence shows how to name one."""
        assert cli.main(["import"]) == 2
        assert "Name at least one file, such as --users users.csv." in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", [[], ["export"], ["import", "--people", "F.csv"]])
    def test_an_unknown_command_or_option(self, arguments, capsys):
        """The usage is printed."""
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 2
        assert "usage: python -m lib.cli" in capsys.readouterr().err


class TestDatabaseThatTakesNoPart:
    """The exit is 1, with a sentence and no traceback."""

    @pytest.mark.parametrize("address", ["sqlite:////none/x.db", "postgresql://127.0.0.1:1/x"])
    def test_missing(self, address, tmp_path, capsys, monkeypatch):
        """There is no such folder, or no such server."""
        monkeypatch.setenv("DATABASE_URL", address)
        assert run(tmp_path, **FILES) == 1
        assert "cannot be opened. Nothing was changed" in capsys.readouterr().err

    def test_no_database_at_all(self, tmp_path, capsys, monkeypatch):
        """The file is something else."""
        (tmp_path / "x.db").write_bytes(b"not a database" * 100)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
        assert run(tmp_path, **FILES) == 1
        assert "cannot be opened. Nothing was changed" in capsys.readouterr().err

    def test_locked(self, desk, tmp_path, capsys, monkeypatch):
        """Another import holds it for longer than we wait."""
        monkeypatch.setattr(telling, "open_engine", partial(open_engine, busy_seconds=0.1))
        other = open_engine(desk)
        migrate(other)
        with writing(other) as connection:
            wait_for_other_imports(connection)
            assert run(tmp_path, **FILES) == 1
        other.dispose()
        assert "Another program is writing to the database" in capsys.readouterr().err
        assert users_stored(desk) == 0

    def test_read_only(self, desk, tmp_path, capsys, monkeypatch):
        """It can be looked at, not written."""
        engine = open_engine(desk)
        migrate(engine)
        if engine.dialect.name == "postgresql":
            with writing(engine) as connection:
                name = engine.url.database
                connection.execute(
                    text(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
                )
        else:
            path = engine.url.database
            monkeypatch.setenv("DATABASE_URL", f"sqlite:///file:{path}?mode=ro&uri=true")
        engine.dispose()
        assert run(tmp_path, **FILES) == 1
        assert "The database cannot be written" in capsys.readouterr().err
        assert users_stored(desk) == 0

    def test_every_fault_has_its_sentence(self):
        """Also those that are hard to bring about."""
        for fault in (StoreUnavailable, *StoreUnavailable.__subclasses__()):
            assert "Nothing was changed" in telling.fault(fault())


def test_it_runs_as_a_module_in_any_locale(tmp_path):
    """A name that the terminal cannot show is escaped."""
    path = tmp_path / "users.csv"
    path.write_text("username,name,email,organization_id,status\n太 郎,太郎,,,active\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lib.cli", "import", "--users", str(path)],
        env={"PYTHONIOENCODING": "ascii", "TOKEN_DESK_DATA": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert r"username '\u592a \u90ce'" in done.stdout
    assert not done.stderr
