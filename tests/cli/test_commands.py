"""The commands: their output and their exit codes."""

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lib import cli
from lib.cli import audit, console
from lib.domain.audit_verification import BadEvent, TamperingKind
from lib.operations import database
from lib.settings import ROOT
from lib.store.engine import open_engine, reading, writing
from lib.store.import_queries import wait_for_other_imports

FILES = {
    "organizations": "organization_id,name,type,status,state\nUTCJF1,Juniper,recipient,active,UT\n",
    "services": "service,name\nerecording,eRecording\n",
    "subscriptions": "organization_id,service,status\nUTCJF1,erecording,active\n",
    "users": "username,name,email,organization_id,status\n"
    "acastillo,Ana Castillo,acastillo@example.com,UTCJF1,active\n"
    "mhale,Morgan Hale,mhale@example.com,,active\n",
}
CANNOT_BE_OPENED = r"cannot be (opened: .*|reached)\. Nothing was changed; "
BAD_USER = "bad user,Ben,,UTCJF1,active\n"


@pytest.fixture
def database_url(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Set a migrated, empty database on each engine, and return its URL."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
    return url


@pytest.fixture
def empty_database_url(empty_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Set a database without tables on each engine, and return its URL."""
    monkeypatch.setenv("DATABASE_URL", empty_url)
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
    return empty_url


def run(folder: Path, *options: str, **files: str | bytes) -> int:
    """Write `files`, import them and return the exit code."""
    arguments = ["import", *options]
    for name, content in files.items():
        path = folder / f"{name}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        arguments += [f"--{name}", str(path)]
    return cli.main(arguments)


def users_stored(url: str) -> int:
    """Return the number of accounts in the database."""
    engine: Engine = open_engine(url)
    with reading(engine) as connection:
        count = connection.execute(text("SELECT count(*) FROM user_account")).scalar_one()
    engine.dispose()
    return count


class TestTaking:
    """Imports that succeed."""

    def test_one_line_a_file(self, empty_database_url, tmp_path, capsys):
        """A new database is migrated first; each file has one line, and the exit code is 0."""
        assert run(tmp_path, **FILES) == 0
        assert capsys.readouterr().out == (
            "organizations: 1 added, 0 updated, 0 unchanged, 0 refused\n"
            "services: 1 added, 0 updated, 0 unchanged, 0 refused\n"
            "subscriptions: 1 added, 0 updated, 0 unchanged, 0 refused\n"
            "users: 2 added, 0 updated, 0 unchanged, 0 refused\n"
            "missing: nobody\n"
        )
        assert users_stored(empty_database_url) == 2

    def test_any_file_alone(self, database_url, tmp_path, capsys):
        """One file can be imported alone; counts have a comma at thousands."""
        users = "".join(f"u{n},User {n},,,inactive\n" for n in range(1_200))
        header = FILES["users"].splitlines()[0]
        assert run(tmp_path, users=f"{header}\n{users}") == 0
        assert run(tmp_path, users=f"{header}\n{users}new,New,,,active\n") == 0
        assert capsys.readouterr().out.splitlines()[2] == (
            "users: 1 added, 0 updated, 1,200 unchanged, 0 refused"
        )
        assert users_stored(database_url) == 1_201

    @pytest.mark.usefixtures("database_url")
    def test_unknown_columns_are_named(self, tmp_path, capsys):
        """Unknown columns are ignored and named."""
        assert run(tmp_path, services="service,name,Colour\nx,X,red\n") == 0
        assert "columns not known and ignored: 'Colour'" in capsys.readouterr().out


class TestRefusing:
    """Imports with a bad row."""

    def test_nothing_is_written(self, database_url, tmp_path, capsys):
        """Line, field, value and reason of the row are printed, and the exit code is 1."""
        assert run(tmp_path, **FILES | {"users": FILES["users"] + BAD_USER}) == 1
        assert capsys.readouterr().out.splitlines()[3:] == [
            "users: 2 added, 0 updated, 0 unchanged, 1 refused",
            "  line 4: username 'bad user': must be 1 to 100 characters without white space",
            "missing: nobody",
            "Nothing was written: mend these rows, or take the others with --skip-bad-rows.",
        ]
        assert users_stored(database_url) == 0

    def test_bad_rows_can_be_skipped(self, database_url, tmp_path, capsys):
        """The other rows are written, and the exit code still is 1."""
        files = FILES | {"users": FILES["users"] + BAD_USER}
        assert run(tmp_path, "--skip-bad-rows", **files) == 1
        assert "Nothing was written" not in capsys.readouterr().out
        assert users_stored(database_url) == 2

    def test_a_value_is_shown_short_and_harmless(self):
        """A value is cut at 60 characters, and its control characters are escaped."""
        assert console.printable("A" * 10_000) == f"'{'A' * 59}…'"
        assert console.printable("\x1b[2J\0\u202eX") == r"'\x1b[2J\x00\u202eX'"


class TestUsernameOfAnotherPerson:
    """A row that changes both name and e-mail of an account with a role."""

    NEWCOMER = "mhale,Max Hall,max.hall@example.com,,active\n"

    @pytest.fixture
    def newcomer(self, directory: str) -> dict[str, str]:
        """A users file with another person under the administrator's username."""
        assert users_stored(directory) == 2
        return {"users": FILES["users"].splitlines()[0] + "\n" + self.NEWCOMER}

    def test_it_is_refused_with_both_ways_out(self, directory, newcomer, tmp_path, capsys):
        """The sentence names both solutions, the exit code is 1, and the account is unchanged."""
        assert run(tmp_path, **newcomer) == 1
        assert capsys.readouterr().out == (
            "users: 0 added, 0 updated, 0 unchanged, 1 refused\n"
            "  line 2: username 'mhale': name and e-mail both change, and mhale (Morgan Hale,"
            " mhale@example.com) has a role; if it is the same person, add --same-person mhale;"
            " if not, give the new person another username, or end the roles, tokens and requests"
            " of mhale first\n"
            "missing: nobody\n"
            "Nothing was written: mend these rows, or take the others with --skip-bad-rows.\n"
        )
        names = stored(directory, "SELECT name FROM user_account WHERE username = 'mhale'")
        assert names == [("Morgan Hale",)]

    def test_the_option_takes_it_when_several_are_named(
        self, directory, newcomer, tmp_path, capsys
    ):
        """The option may be repeated; the event names the usernames that needed it."""
        options = ["--same-person", "mhale", "--same-person", "acastillo"]
        assert run(tmp_path, *options, **newcomer) == 0
        assert "0 added, 1 updated, 0 unchanged, 0 refused" in capsys.readouterr().out
        details = stored(directory, "SELECT detail FROM audit_event WHERE action = 'import'")
        assert ("users 1; same person: mhale",) in details

    @pytest.mark.parametrize("options", [[], ["--skip-bad-rows"]])
    def test_an_unknown_username_gets_a_sentence(
        self, directory, newcomer, tmp_path, capsys, options
    ):
        """The exit code is 2, and nothing is written."""
        newcomer["users"] += "new,New,,,active\n"
        assert run(tmp_path, "--same-person", "mhal\x1b", *options, **newcomer) == 2
        assert capsys.readouterr().err == (
            "--same-person: the directory has nobody of the username 'mhal\\x1b'."
            " Look at its spelling. Nothing was changed.\n"
        )
        assert users_stored(directory) == 2

    @pytest.mark.usefixtures("directory")
    def test_it_needs_a_users_file(self, tmp_path, capsys):
        """`--same-person` without a users file is wrong usage."""
        assert run(tmp_path, "--same-person", "mhale", services=FILES["services"]) == 2
        assert capsys.readouterr().err == (
            "--same-person is about the users file: name that with --users.\n"
        )


class TestWrongUsage:
    """The exit code is 2, each file has a sentence, and nothing is written."""

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "the file is empty"),
            (b"a,b\n1,2\n", "has the columns a, b; it lacks service and name"),
            ("service,name\nx,Zoë\n".encode("latin-1"), "save the file as CSV UTF-8"),
            (b'service,name\nx,"X\n', "a quotation mark"),
        ],
    )
    def test_a_file_that_cannot_be_used(
        self, empty_database_url, tmp_path, capsys, content, sentence
    ):
        """The sentence names the file, and the good files are not imported either."""
        assert run(tmp_path, **FILES | {"services": content}) == 2
        output = capsys.readouterr()
        assert f"services: {tmp_path / 'services.csv'}: " in output.err
        assert sentence in output.err
        assert not output.out
        engine = open_engine(empty_database_url)
        with reading(engine) as connection:
            assert not engine.dialect.has_table(connection, "organization")
        engine.dispose()

    @pytest.mark.usefixtures("database_url")
    def test_a_file_that_is_not_there(self, tmp_path, capsys):
        """Every file that cannot be read has its own sentence."""
        arguments = ["--users", str(tmp_path / "none.csv"), "--services", str(tmp_path)]
        assert cli.main(["import", *arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert [line.rpartition(": ")[2] for line in lines] == [
            "Is a directory.",
            "No such file or directory.",
        ]

    def test_a_file_over_the_limit_is_not_read(self, database_url, tmp_path, capsys, monkeypatch):
        """A file with one byte more than the setting allows is refused."""
        monkeypatch.setenv("TOKEN_DESK_IMPORT_MAX", str(len(FILES["services"])))
        assert run(tmp_path, services=FILES["services"]) == 0
        assert run(tmp_path, services=FILES["services"] + "\n") == 2
        assert "larger than 35 bytes and was not read" in capsys.readouterr().err
        assert users_stored(database_url) == 0

    @pytest.mark.usefixtures("database_url")
    def test_no_file_named(self, capsys):
        """Without a file the sentence shows how to name one."""
        assert cli.main(["import"]) == 2
        assert "Name at least one file, such as --users users.csv." in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", [[], ["export"], ["import", "--people", "F.csv"]])
    def test_an_unknown_command_or_option(self, arguments, capsys):
        """The usage is printed, and the exit code is 2."""
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 2
        assert "usage: python -m lib.cli" in capsys.readouterr().err


@pytest.fixture
def directory(database_url: str, tmp_path: Path, capsys) -> str:
    """Import one organization, a user and an administrator; return the URL."""
    assert run(tmp_path, **FILES) == 0
    assert cli.main(["grant", "mhale", "administrator"]) == 0
    capsys.readouterr()
    return database_url


def stored(url: str, statement: str) -> list[tuple]:
    """Return the rows of a query."""
    engine = open_engine(url)
    with reading(engine) as connection:
        rows = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return rows


class TestGrants:
    """The commands `grant`, `revoke` and `grants`."""

    def test_grant_and_revoke(self, directory, capsys):
        """A role is granted in all or in named organizations, with one line of output each."""
        assert cli.main(["grant", "acastillo", "support", "--organization", "UTCJF1"]) == 0
        assert cli.main(["grant", "acastillo", "analyst"]) == 0
        assert cli.main(["revoke", "acastillo", "support", "--organization", "UTCJF1"]) == 0
        assert capsys.readouterr().out == (
            "acastillo is now support in UTCJF1.\n"
            "acastillo is now analyst in all organizations.\n"
            "acastillo is no longer support in UTCJF1.\n"
        )
        rows = stored(directory, "SELECT username, role, granted_by FROM role_grant")
        assert sorted(rows) == [("acastillo", "analyst", ""), ("mhale", "administrator", "")]

    @pytest.mark.usefixtures("directory")
    def test_granting_or_revoking_twice(self, capsys):
        """Granting twice succeeds; revoking twice fails."""
        assert cli.main(["grant", "mhale", "administrator"]) == 0
        assert capsys.readouterr().out == (
            "mhale already was administrator in all organizations.\n"
        )
        assert cli.main(["revoke", "mhale", "analyst"]) == 1
        assert capsys.readouterr().err == "'mhale' was not analyst in all organizations.\n"

    @pytest.mark.usefixtures("directory")
    @pytest.mark.parametrize("username", ["nobody", "\x1b[2J", "x" * 10_000])
    def test_an_unknown_person(self, username, capsys):
        """The sentence for an unknown username says how to import it."""
        assert cli.main(["grant", username, "support"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"The directory has no username {console.printable(username)}.")
        assert "python -m lib.cli import --users users.csv" in error

    def test_an_unknown_organization(self, directory, capsys):
        """An unknown organization stops the whole command."""
        assert cli.main(["grant", "acastillo", "support", "--organization", "UTCJF1", "NOPE"]) == 1
        assert capsys.readouterr().err == (
            "There is no organization 'NOPE'. Nothing was changed.\n"
        )
        assert len(stored(directory, "SELECT * FROM role_grant")) == 1

    def test_the_last_administrator(self, directory, capsys):
        """The last administrator cannot be revoked."""
        assert cli.main(["revoke", "mhale", "administrator"]) == 1
        assert "this would leave no API administrator" in capsys.readouterr().err
        assert len(stored(directory, "SELECT * FROM role_grant")) == 1

    @pytest.mark.usefixtures("directory")
    def test_an_import_without_the_last_administrator(self, tmp_path, capsys):
        """An import cannot deactivate the last administrator either."""
        users = FILES["users"].replace(",,active", ",,inactive")
        assert run(tmp_path, users=users) == 1
        assert "this would leave no API administrator" in capsys.readouterr().err

    @pytest.mark.usefixtures("directory")
    def test_the_list(self, tmp_path, capsys):
        """`grants` prints a table, and with --json a line for each grant."""
        users = FILES["users"].replace("UTCJF1,active", "UTCJF1,inactive")
        assert run(tmp_path, users=users) == 0
        assert cli.main(["grant", "acastillo", "support", "--organization", "UTCJF1"]) == 0
        capsys.readouterr()
        assert cli.main(["grants"]) == 0
        head, *lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
        assert [cell.strip() for cell in head if cell] == [
            *("Username", "Name", "Role", "Where", "Granted", "By")
        ]
        cells = [[cell.strip() for cell in line if cell] for line in lines]
        assert [cell[:4] for cell in cells] == [
            ["acastillo", "Ana Castillo (inactive)", "support", "UTCJF1"],
            ["mhale", "Morgan Hale", "administrator", "all organizations"],
        ]
        assert cli.main(["grants", "--json"]) == 0
        grants = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert grants[0] == {
            "username": "acastillo",
            "name": "Ana Castillo",
            "active": False,
            "role": "support",
            "organization_id": "UTCJF1",
            "organization_name": "Juniper",
            "granted_at": cells[0][4],
            "granted_by": "",
        }

    @pytest.mark.usefixtures("database_url")
    def test_an_empty_list(self, capsys):
        """Without grants the list says how to grant a role."""
        assert cli.main(["grants"]) == 0
        assert "Nobody has a role. Grant one: python -m lib.cli grant" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "arguments", [["grant", "mhale"], ["grant", "mhale", "king"], ["revoke"], ["audit"]]
    )
    def test_wrong_arguments_print_the_usage(self, arguments, capsys):
        """The usage is printed; the exit code is 2."""
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 2
        assert "usage: python -m lib.cli" in capsys.readouterr().err


class TestAudit:
    """The commands `audit verify` and `audit anchor`."""

    @pytest.fixture
    def anchored(self, directory: str, tmp_path: Path, capsys) -> Path:
        """Return the path of an anchor file, made after four events in two chains."""
        for role in ("support", "analyst"):
            cli.main(["grant", "acastillo", role, "--organization", "UTCJF1"])
        capsys.readouterr()
        assert cli.main(["audit", "anchor"]) == 0
        path = tmp_path / "anchor"
        path.write_text(capsys.readouterr().out)
        engine = open_engine(directory)
        sqlite = [f"DROP TRIGGER audit_event_no_{what}" for what in ("update", "delete", "replace")]
        postgresql = ["DROP TRIGGER audit_event_no_change ON audit_event"]
        with writing(engine) as connection:
            for statement in sqlite if engine.dialect.name == "sqlite" else postgresql:
                connection.execute(text(statement))
        engine.dispose()
        return path

    def tamper(self, url: str, *statements: str) -> None:
        """Change the audit trail with plain SQL."""
        engine = open_engine(url)
        with writing(engine) as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def test_an_unchanged_trail_is_correct(self, anchored, capsys):
        """Events and chains are counted, with and without an anchor."""
        assert cli.main(["audit", "verify"]) == 0
        assert cli.main(["audit", "verify", "--anchor", str(anchored)]) == 0
        assert capsys.readouterr().out == "4 events in 2 chains: all correct.\n" * 2

    def test_an_anchor_is_lines_of_json(self, anchored):
        """An anchor has chain, number and hash, and no key."""
        ends = [json.loads(line) for line in anchored.read_text().splitlines()]
        assert [(line["chain"], line["number"]) for line in ends] == [("", 2), ("UTCJF1", 2)]
        assert {len(bytes.fromhex(line["mac"])) for line in ends} == {32}

    def test_the_first_bad_event_is_named(self, database_url, anchored, capsys):
        """Each broken chain has one line with the event, its time and what is wrong."""
        self.tamper(
            database_url,
            "UPDATE audit_event SET actor = 'x' WHERE organization_id = '' AND number = 1",
            "DELETE FROM audit_event WHERE organization_id = 'UTCJF1' AND number = 1",
        )
        assert cli.main(["audit", "verify", "--anchor", str(anchored)]) == 1
        output = capsys.readouterr()
        first, second = output.err.splitlines()
        assert re.fullmatch(
            r"Chain of no organization: event 1 of \d{4}-\d\d-\d\dT[\d:]{8}Z was changed after it"
            r" was written, or replaced by another event\.",
            first,
        )
        assert second == "Chain of UTCJF1: event 1 is missing."
        assert output.out == "2 of 2 chains broken; 0 events before that correct.\n"

    def test_a_cut_tail_needs_the_anchor(self, database_url, anchored, capsys):
        """Only an anchor reveals a cut chain whose head was set back."""
        self.tamper(
            database_url,
            "DELETE FROM audit_event WHERE organization_id = 'UTCJF1' AND number = 2",
            "UPDATE audit_head SET number = 1, mac = (SELECT mac FROM audit_event"
            " WHERE organization_id = 'UTCJF1') WHERE organization_id = 'UTCJF1'",
        )
        assert cli.main(["audit", "verify"]) == 0
        assert cli.main(["audit", "verify", "--anchor", str(anchored)]) == 1
        assert capsys.readouterr().err == (
            "Chain of UTCJF1: event 2 is missing: the anchor shows that the end of the chain was"
            " cut off.\n"
        )

    def test_another_pepper(self, anchored, capsys, monkeypatch):
        """Without the right pepper the key of an event is unknown."""
        monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"7:{'ab' * 32}")
        assert cli.main(["audit", "verify"]) == 1
        assert "was written with a key that TOKEN_DESK_PEPPERS does not have" in (
            capsys.readouterr().err
        )
        assert anchored.exists()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (None, "the file cannot be read: No such file"),
            (b"", "this file has no anchor"),
            (b"\xff\xfe", "line 1 is not a line of"),
            (b"{}", "line 1 is not a line of"),
            (b"[]", "line 1 is not a line of"),
            (b'\n{"chain": 1, "number": 1, "mac": "%s"}' % (b"00" * 32), "line 2 is not a line of"),
            (b'{"chain": "", "number": -1, "mac": "%s"}' % (b"00" * 32), "line 1 is not a line of"),
            (
                b'{"chain": "", "number": true, "mac": "%s"}' % (b"00" * 32),
                "line 1 is not a line of",
            ),
            (b'{"chain": "", "number": 1, "mac": "00"}', "line 1 is not a line of"),
            (b'{"chain": "", "number": 1, "mac": 7}', "line 1 is not a line of"),
        ],
    )
    def test_an_anchor_that_cannot_be_read(self, content, sentence, tmp_path, capsys):
        """A bad anchor file is wrong usage: exit code 2, with a sentence."""
        path = tmp_path / "anchor"
        if content is not None:
            path.write_bytes(content)
        assert cli.main(["audit", "verify", "--anchor", str(path)]) == 2
        assert sentence in capsys.readouterr().err

    def test_every_fault_has_its_sentence(self):
        """Each kind has a sentence; an unreadable time is left out, and names are escaped."""
        for wrong in TamperingKind:
            assert audit.sentence(BadEvent("A", 7, wrong)).startswith("Chain of A: event 7 ")
        assert "event 7 is" in audit.sentence(BadEvent("A", 7, TamperingKind.EXTRA, "soon"))
        assert "event 7 is" in audit.sentence(BadEvent("A", 7, TamperingKind.EXTRA, 10**30))
        assert "\x1b" not in audit.sentence(BadEvent("\x1b[2J", "\x1b", TamperingKind.EXTRA))

    def test_no_database(self, tmp_path, capsys, monkeypatch):
        """An unusable database gets the sentence that every command has."""
        monkeypatch.setenv("DATABASE_URL", "sqlite:////none/x.db")
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        assert cli.main(["audit", "verify"]) == 1
        assert "The database cannot be opened" in capsys.readouterr().err


class TestUnusableDatabase:
    """The exit code is 1, with a sentence and no traceback."""

    @pytest.mark.parametrize("address", ["sqlite:////none/x.db", "postgresql://127.0.0.1:1/x"])
    def test_a_database_that_cannot_be_reached(self, address, tmp_path, capsys, monkeypatch):
        """The folder or the server does not exist."""
        monkeypatch.setenv("DATABASE_URL", address)
        assert run(tmp_path, **FILES) == 1
        assert re.search(CANNOT_BE_OPENED, capsys.readouterr().err)

    def test_a_file_that_is_no_database(self, tmp_path, capsys, monkeypatch):
        """The file is no SQLite database."""
        (tmp_path / "x.db").write_bytes(b"not a database" * 100)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
        assert run(tmp_path, **FILES) == 1
        assert re.search(CANNOT_BE_OPENED, capsys.readouterr().err)

    def test_a_locked_database(self, database_url, tmp_path, capsys, monkeypatch):
        """Another import holds the lock for longer than the time limit."""
        monkeypatch.setattr(database, "open_engine", partial(open_engine, busy_seconds=0.1))
        other = open_engine(database_url)
        with writing(other) as connection:
            wait_for_other_imports(connection)
            assert run(tmp_path, **FILES) == 1
        other.dispose()
        assert "Another program is writing to the database" in capsys.readouterr().err
        assert users_stored(database_url) == 0

    def test_a_read_only_database(self, database_url, tmp_path, capsys, monkeypatch):
        """A read-only database gets a sentence, and nothing is written."""
        engine = open_engine(database_url)
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
        assert "The database is read-only" in capsys.readouterr().err
        assert users_stored(database_url) == 0


def test_it_runs_as_a_module_in_any_locale(tmp_path):
    """Characters that the terminal cannot print are escaped."""
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
