"""The commands about tokens: `service-credential` and `recall`."""

import io
import json
import logging
import os
import threading
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lib import cli
from lib.domain.leaks.containers import UNPACK_YOURSELF
from lib.domain.states import Action
from lib.domain.token_format import mint
from lib.operations import credentials
from lib.operations.actions import execute, plan_action
from lib.store.token_lookup import TokenLookup
from tests.support.actions import csv_rows, everything, exported, select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, tokens, unit_of_work
from tests.support.leak_forms import FILES, FORMS, encrypted_zip, percent, zipped
from tests.support.made_tokens import candidates

PEPPER = MINTING.peppers[1].hex()


@pytest.fixture
def database(engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Engine:
    """Set a database with five users on each engine, and return its engine."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
    monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"1:{PEPPER}")
    build(engine, 5)
    return engine


@pytest.fixture
def leaked(database: Engine, tmp_path) -> str:
    """Return the path of an exported CSV of five tokens."""
    members = [row[0] for row in select(database, "SELECT member_id FROM member ORDER BY sort_key")]
    plan = plan_action(unit_of_work(database), ADMIN, Action.GENERATE, ORG, SERVICE, members)
    outcome = execute(unit_of_work(database), ADMIN, plan, MINTING)
    assert len(exported(outcome)) == 5
    path = tmp_path / "leaked.csv"
    path.write_bytes(outcome.csv)
    return str(path)


def _tokens_of(path: str) -> list[str]:
    """Return the tokens of an exported CSV."""
    return [row["API Token"] for row in csv_rows(Path(path).read_bytes())]


def live(engine: Engine) -> int:
    """Return the number of pending and accepted tokens."""
    return sum(row[1] in {"pending", "accepted"} for row in tokens(engine))


class TestServiceCredential:
    """Credentials are created, listed and ended."""

    def test_create_prints_what_signs_in(self, database, capsys):
        """The secret is printed as JSON, and is not in the database."""
        assert cli.main(["service-credential", "create", SERVICE, "--json"]) == 0
        created = json.loads(capsys.readouterr().out)
        lookups = TokenLookup(database)
        found = lookups.credential(created["client_id"])
        lookups.close()
        assert credentials.service_of(found, created["client_secret"], MINTING) == SERVICE
        stored = str(select(database, "SELECT * FROM service_credential"))
        assert created["client_secret"] not in stored

    def test_create_without_json_prints_lines(self, database, capsys):
        """Without --json each field has one line."""
        cli.main(["service-credential", "create", SERVICE])
        out = capsys.readouterr().out.splitlines()
        assert [line.split(": ")[0] for line in out] == ["client_id", "client_secret"]
        assert database

    def test_a_third_is_refused(self, database, capsys):
        """A service can have two live credentials, and not three."""
        command = ["service-credential", "create", SERVICE]
        assert [cli.main(command) for _ in range(3)] == [0, 0, 1]
        assert "has 2 live credentials" in capsys.readouterr().err
        assert select(database, "SELECT count(*) FROM service_credential") == [(2,)]

    def test_an_unknown_service(self, database, capsys):
        """An unknown service gets a sentence, and nothing is written."""
        assert cli.main(["service-credential", "create", "nobodys"]) == 1
        assert capsys.readouterr().err == "There is no service 'nobodys'.\n"
        assert select(database, "SELECT count(*) FROM audit_event WHERE action = 'credential'") == [
            (0,)
        ]

    def test_list_and_end(self, database, capsys):
        """A credential is listed until it is ended; ending it twice fails."""
        cli.main(["service-credential", "create", SERVICE, "--json"])
        client_id = json.loads(capsys.readouterr().out)["client_id"]
        cli.main(["service-credential", "list"])
        assert client_id in capsys.readouterr().out
        assert [cli.main(["service-credential", "end", client_id]) for _ in range(2)] == [0, 1]
        cli.main(["service-credential", "list"])
        assert capsys.readouterr().out.splitlines()[-1].startswith("There are none. ")
        assert database


@pytest.mark.parametrize("command", [["service-credential", "create", SERVICE], ["recall"]])
def test_no_room_for_the_pepper_gets_its_sentence(
    database, leaked, tmp_path, capsys, monkeypatch, command
):
    """A pepper that cannot be stored gives a sentence, and nothing is changed."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("TOKEN_DESK_PEPPERS")
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path / "file" / "folder"))
    assert cli.main([*command, leaked, "--yes"] if command == ["recall"] else command) == 1
    assert "pepper cannot be stored or read" in capsys.readouterr().err
    assert live(database) == 5


class TestRecall:
    """Recall of the leaked tokens in a file."""

    def test_a_whole_file(self, database, leaked, capsys):
        """Tokens are counted, ended and listed in a receipt; no token is printed."""
        assert cli.main(["recall", leaked, "--yes", "--reason", "INC-7"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{ORG}  {SERVICE}  pending: 5\nexported by operation ")
        assert "\n5 tokens ended.\n" in out
        assert f"{ORG}  {SERVICE}  cancel: 5, operation " in out
        assert "demo_" not in out
        assert live(database) == 0
        assert select(database, "SELECT reason FROM audit_event WHERE action = 'cancel'") == [
            ("INC-7",)
        ]

    def test_a_thousand_rows(self, database, tmp_path, capsys, caplog):
        """All tokens end; no token is in the output, the database or the debug log."""
        people = build(database, 1_000, organization_id="UTMANY")
        plan = plan_action(
            unit_of_work(database), ADMIN, Action.GENERATE, "UTMANY", SERVICE, people
        )
        outcome = execute(unit_of_work(database), ADMIN, plan, MINTING)
        plain = exported(outcome)
        assert len(plain) == live(database) == 1_000
        path = tmp_path / "leaked.csv"
        path.write_bytes(outcome.csv)
        with caplog.at_level(logging.DEBUG, "sqlalchemy"):
            assert cli.main(["recall", str(path), "--yes"]) == 0
        out = capsys.readouterr().out
        path.unlink()
        print(out)
        assert "\n1,000 tokens ended.\n" in out
        assert live(database) == 0
        assert "UPDATE token" in caplog.text
        stored = [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
        for place in (
            out.encode(),
            caplog.text.encode(),
            repr(everything(database)).encode(),
            *stored,
        ):
            assert [token for token in plain if token[5:21].encode() in place] == []

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""])
    def test_it_asks_first(self, database, leaked, capsys, monkeypatch, answer):
        """Any answer but yes ends nothing."""
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert cli.main(["recall", leaked]) == 1
        assert "End 5 tokens? Ended tokens stop working at once." in capsys.readouterr().out
        assert live(database) == 5

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_another_encoding(self, database, leaked, tmp_path, encoding):
        """Tokens are found in UTF-16 and UTF-32, as spreadsheets and PowerShell write them."""
        text = Path(leaked).read_bytes().decode("utf-8-sig")
        (tmp_path / "other.txt").write_bytes(text.encode(encoding))
        assert cli.main(["recall", str(tmp_path / "other.txt"), "--yes"]) == 0
        assert live(database) == 0

    def test_every_leak_form_is_found(self, database, leaked, tmp_path, capsys, monkeypatch):
        """Each form is found alone; all forms of two tokens together count as two tokens."""
        one, two = _tokens_of(leaked)[:2]
        path = tmp_path / "leaked.log"
        found = []
        for name, form in (FORMS | FILES).items():
            content = form(one)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
            assert cli.main(["recall", str(path)]) == 1
            out = capsys.readouterr().out
            found += [name] * out.startswith(
                f"{ORG}  {SERVICE}  pending: 1\nexported by operation "
            )
        print(f"command: {len(found)} of {len(FORMS | FILES)} leak forms found")
        assert found == list(FORMS | FILES)
        path.write_text("".join(form(token) for token in (one, two) for form in FORMS.values()))
        assert cli.main(["recall", str(path), "--yes"]) == 0
        assert "\n2 tokens ended.\n" in capsys.readouterr().out
        assert live(database) == 3

    @pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\r", "\t\v\f", "\u00a0\ufeff\u2028"])
    def test_white_space_round_a_token_does_not_count(self, database, leaked, tmp_path, around):
        """White space before and after a token is ignored, as in a file written by `echo`."""
        token = _tokens_of(leaked)[0]
        (tmp_path / "one.txt").write_bytes(f"{around}{token}{around}".encode())
        assert cli.main(["recall", str(tmp_path / "one.txt"), "--yes"]) == 0
        assert live(database) == 4

    def test_a_token_is_found_when_standard_input_comes_in_parts(
        self, database, leaked, monkeypatch
    ):
        """A token is found although a pipe delivers it in parts."""
        text = f"x%20{percent(_tokens_of(leaked)[0])}%20y".encode()
        reading, writing = os.pipe()

        def write() -> None:
            with os.fdopen(writing, "wb", buffering=0) as pipe:
                for part in (text[:40], text[40:41], text[41:]):
                    pipe.write(part)

        writer = threading.Thread(target=write)
        with os.fdopen(reading) as standard_input:
            monkeypatch.setattr("sys.stdin", standard_input)
            writer.start()
            assert cli.main(["recall", "-", "--yes"]) == 0
        writer.join(30)
        assert live(database) == 4

    def test_typed_yes_ends_the_tokens(self, database, leaked, monkeypatch):
        """The typed answer `yes` ends the tokens."""
        monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
        assert cli.main(["recall", leaked]) == 0
        assert live(database) == 0

    def test_the_whole_operation(self, database, leaked, tmp_path):
        """With --whole one leaked token ends all tokens of its operation."""
        one = Path(leaked).read_bytes().splitlines()[1]
        (tmp_path / "one.txt").write_bytes(one)
        assert cli.main(["recall", str(tmp_path / "one.txt"), "--yes", "--whole"]) == 0
        assert live(database) == 0

    def test_a_file_without_tokens(self, database, tmp_path, capsys):
        """A file without tokens gets a sentence, and no question."""
        (tmp_path / "x.txt").write_text("nothing")
        assert cli.main(["recall", str(tmp_path / "x.txt")]) == 0
        assert capsys.readouterr().out == "The file has no token that was issued here.\n"
        assert database

    @pytest.mark.parametrize("options", [[], ["--yes"]])
    def test_standard_input_needs_yes(self, database, leaked, capsys, monkeypatch, options):
        """Standard input needs --yes, since no answer can be typed."""
        text = Path(leaked).read_bytes().splitlines()[1]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        code = cli.main(["recall", "-", *options])
        output = capsys.readouterr()
        if options:
            assert (code, live(database)) == (0, 4)
            assert "\n1 token ended.\n" in output.out
        else:
            assert (code, live(database)) == (2, 5)
            assert "add --yes" in output.err

    def test_a_second_recall_finds_ended_tokens(self, database, leaked, capsys):
        """A second run finds the tokens, which have all ended."""
        cli.main(["recall", leaked, "--yes"])
        assert cli.main(["recall", leaked, "--yes"]) == 0
        assert capsys.readouterr().out.endswith("All of them have already ended.\n")
        assert database

    def test_a_missing_file_is_wrong_usage(self, database, tmp_path, capsys):
        """A missing file gives exit code 2 and a sentence."""
        assert cli.main(["recall", str(tmp_path / "none")]) == 2
        error = capsys.readouterr().err
        assert error.endswith("the file cannot be read: No such file or directory.\n")
        assert database

    def test_a_file_larger_than_an_import_is_searched(
        self, database, leaked, tmp_path, monkeypatch
    ):
        """A file is read in pieces: TOKEN_DESK_IMPORT_MAX is for imports."""
        monkeypatch.setenv("TOKEN_DESK_IMPORT_MAX", "10")
        path = tmp_path / "big.log"
        path.write_bytes(b"x" * 1_100_000 + Path(leaked).read_bytes())
        assert cli.main(["recall", str(path), "--yes"]) == 0
        assert live(database) == 0

    def test_tokens_in_an_archive_end_and_what_is_not_opened_is_named(
        self, database, leaked, tmp_path, capsys
    ):
        """The exit status is 1, since more tokens may be there."""
        path = tmp_path / "keys.zip"
        path.write_bytes(zipped(Path(leaked).read_bytes()))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("inner.zip", encrypted_zip())
            archive.writestr("scan.pdf", b"%PDF-1.7")
        assert cli.main(["recall", str(path), "--yes"]) == 1
        output = capsys.readouterr()
        assert "\n5 tokens ended.\n" in output.out
        assert output.err.splitlines() == [
            "Not looked into:",
            "  keys.zip › inner.zip › secret.txt is encrypted",
            "  keys.zip › scan.pdf is a PDF, which Recall does not open",
            UNPACK_YOURSELF,
        ]
        assert live(database) == 0

    @pytest.mark.parametrize("form", ["zip", "tar.gz", "zip in base64 in JSON in gzip"])
    def test_an_archive_from_standard_input_is_searched(
        self, database, leaked, monkeypatch, tmp_path, form
    ):
        """A zip archive is copied to a temporary file, and nothing of it stays."""
        reading, writing = os.pipe()
        content = FILES[form](_tokens_of(leaked)[0])
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()
        with os.fdopen(reading) as standard_input:
            monkeypatch.setattr("sys.stdin", standard_input)
            assert cli.main(["recall", "-", "--yes"]) == 0
        assert live(database) == 4
        assert list((tmp_path / "temporary").iterdir()) == []

    def test_a_folder_is_wrong_usage(self, database, tmp_path, capsys):
        """A folder gives exit code 2 and a sentence."""
        assert cli.main(["recall", str(tmp_path)]) == 2
        assert capsys.readouterr().err.endswith("the file cannot be read: Is a directory.\n")
        assert database

    @pytest.mark.parametrize("tokens", [0, 1])
    def test_a_right_checksum_that_nobody_has_is_counted_as_unknown(
        self, database, tmp_path, capsys, tokens
    ):
        """A wrong one is not even counted."""
        path = tmp_path / "x.txt"
        path.write_text(candidates(1_000) + "\n".join(mint(tokens, "demo")))
        assert cli.main(["recall", str(path)]) == 0
        out = capsys.readouterr().out
        assert out.startswith("1 more token in our format, but not issued here.") == (tokens == 1)
        assert database
