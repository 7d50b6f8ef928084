"""The command `import` on files as other programs write them: what it prints, and what is left."""

import json
import re
import shlex
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lib import cli
from lib.domain.roles import Grant, Role
from lib.domain.states import Action
from lib.operations import grants
from lib.settings import ROOT
from tests.operations.imports.base_directory import (
    BASE,
    BOSS,
    HEADER,
    last_import,
    line,
    take_files,
    token_of,
    work,
)
from tests.support.actions import act, csv_rows, everything, select
from tests.support.directory import MINTING, unit_of_work

README = (ROOT / "README.md").read_text()
JDOE = "jdoe,Jane Doe,jane@example.org,UTCJF1,active"
SKIPPED = "Nothing was written: mend these rows, or take the others with --skip-bad-rows."
ENTRA = (
    "userPrincipalName,displayName,surname,mail,givenName,id,userType,accountEnabled,usageLocation"
    "\njane.doe@corp.example.com,Jane Doe,Doe,,Jane,00000000-0001,Member,True,US\n"
    "ann_x.example#EXT#@corp.example.com,=1+3 Ann,,ann@x.example.com,Ann,00000000-0002,Guest,False,"
    "\n"
)
GOOGLE = (
    "First Name [Required],Last Name [Required],Email Address [Required],Password [Required],"
    "Org Unit Path [Required],Status [READ ONLY],Recovery Phone [MUST BE IN THE E.164 FORMAT]\n"
    "Jane,Doe,jane@example.com,****,/,Active,+15555550100\n"
    "Ann,Lee,ann@example.com,****,/,Suspended,\n"
)


@pytest.fixture
def base(engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """Settings that name a database with two organizations, on each engine in turn."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
    monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"1:{MINTING.peppers[1].hex()}")
    assert take_files(engine, BASE).all_taken
    return engine


@pytest.fixture
def run(base: Engine, tmp_path: Path, capsys):
    """Import a file given as text or bytes; return the exit code and what was printed."""

    def run(content: str | bytes, *options: str, name: str = "users") -> tuple[int, list[str]]:
        path = tmp_path / f"{name}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        capsys.readouterr()
        status = cli.main(["import", f"--{name}", str(path), *options])
        printed = capsys.readouterr()
        return status, (printed.out + printed.err).splitlines()

    assert base
    return run


def file(*lines: str) -> str:
    """Return a users file."""
    return "".join(f"{each}\n" for each in (HEADER, *lines))


def counted(added: int = 0, updated: int = 0, unchanged: int = 0, refused: int = 0) -> str:
    """Return the line of the users file."""
    return f"users: {added} added, {updated} updated, {unchanged} unchanged, {refused} refused"


class TestSpreadsheets:
    """What Excel and its kin write."""

    @pytest.mark.parametrize(
        ("content", "options"),
        [
            ("sep=;\r\n" + file(JDOE).replace(",", ";").replace("\n", "\r\n"), ()),
            ("\ufeff\ufeff" + file(JDOE), ()),
            (file(JDOE).encode("utf-16"), ()),
            (file(JDOE).encode("utf-16-le"), ()),
            (file(JDOE).replace("Jane Doe", '"Jane\nDoe"').replace("active\n", "active\r\n"), ()),
            (file(JDOE).replace("\n", "\r") + "\x1a", ()),
            (
                file(JDOE).replace(HEADER, "User Name,Full Name,E-mail,Organization ID,Status"),
                ("--map", "name={Full Name}"),
            ),
            (file(JDOE.replace("Jane Doe", "\u200eJane\u00a0Doe\ufeff")), ()),
        ],
        ids=["sep", "two marks", "UTF-16", "no mark", "line break", "CR", "headers", "invisible"],
    )
    def test_a_stored_person_is_found_unchanged(self, run, content, options):
        """Nothing of the file's form gets into the directory."""
        assert run(content, *options) == (0, [counted(unchanged=1), "missing: nobody"])

    def test_semicolons_in_cells_stay_when_lines_end_in_cr(self, run, base):
        """An old Macintosh's organizations file."""
        types = "Deed; Lien; Plat; Release; Lease; Easement; Notice; Map"
        content = "organization_id,name,type,status,state,document_types\r" + "\r".join(
            f'UTCJF{n},County {n},recipient,active,UT,"{types}"' for n in (1, 2, 3)
        )
        assert run(content, name="organizations") == (
            0,
            ["organizations: 2 added, 1 updated, 0 unchanged, 0 refused"],
        )
        assert (
            select(base, "SELECT document_types FROM organization WHERE name LIKE 'County%'")
            == [(types,)] * 3
        )

    def test_invisible_characters_in_usernames_are_refused(self, run):
        """Line, field, value with the character spelled out, code point and fix."""
        lines = (
            "jdoe\u200b,Jane Doe,,UTCJF1,active",
            "\u200easmith,Ann,,UTCJF1,active",
            "b\u00adlee,Bo,,UTCJF1,active",
        )
        assert run(file(*lines)) == (
            1,
            [
                counted(refused=3),
                r"  line 2: username 'jdoe\u200b': holds the invisible character U+200B; delete it",
                (
                    r"  line 3: username '\u200easmith': holds the invisible character U+200E;"
                    " delete it"
                ),
                r"  line 4: username 'b\xadlee': holds the invisible character U+00AD; delete it",
                "missing: nobody",
                SKIPPED,
            ],
        )

    def test_numbers_that_a_spreadsheet_shortened_are_refused(self, run, base):
        """The others are taken when bad rows are skipped."""
        content = file("123,Was 00123,,UTCJF1,active", "4.94E+12,Was 4940000000123,,UTCJF1,active")
        before = everything(base)
        status, printed = run(content)
        assert (status, printed[0]) == (1, counted(added=1, refused=1))
        assert printed[1].startswith("  line 3: username '4.94E+12': is a number as a spreadsheet")
        assert everything(base) == before
        assert run(content, "--skip-bad-rows")[0] == 1
        assert select(base, "SELECT name FROM user_account WHERE username = '123'") == [
            ("Was 00123",)
        ]

    def test_usernames_like_formulas_come_back_from_our_own_export(self, run, base):
        """Each has an apostrophe in the exported CSV, and none in the directory."""
        names = ("+15555550100", "@ann", "-sam", "=bo", "%al")
        people = [f"{name},Ann {n},a{n}@example.com,UTCJF1,active" for n, name in enumerate(names)]
        assert run(file(*people))[1][0] == counted(added=5)
        exported = _exported(base)
        assert {row["Username"] for row in exported} == {"jdoe", *(f"'{name}" for name in names)}
        lines = [f"{r['Username']},{r['Name']},{r['Email']},UTCJF1,active" for r in exported]
        assert run(file(*lines))[1][0] == counted(unchanged=6)

    def test_usernames_that_differ_by_case_are_refused(self, run):
        """Each line names the other; alone, it says what is stored."""
        other = JDOE.replace("jdoe", "JDoe")
        status, printed = run(file(JDOE, other))
        assert (status, printed[0]) == (1, counted(refused=2))
        assert "line 2: username 'jdoe': differs by case only from JDoe on line 3" in printed[1]
        assert "line 3: username 'JDoe': differs by case only from jdoe on line 2" in printed[2]
        assert "line 2: username 'JDoe': is stored as jdoe" in run(file(other))[1][1]


def _exported(engine: Engine) -> list[dict[str, str]]:
    """Return the rows of Generate & Export for everybody."""
    grants.grant_by_command(unit_of_work(engine), "boss", [Grant(Role.ADMINISTRATOR)])
    ids = [row[0] for row in select(engine, "SELECT member_id FROM member")]
    return csv_rows(act(engine, Action.GENERATE, ids, actor=BOSS)[1].csv)


def readme_command(provider: str) -> list[str]:
    """Return the `--map` options with which README imports a provider's file."""
    command = re.search(rf"import --users {provider}.*?(?=\n\n|```|\n\.venv)", README, re.DOTALL)
    words = shlex.split(command[0].replace("\\\n", " "), comments=True)
    return words[words.index("--map") :]


class TestIdentityProviders:
    """The files that Entra and Google hand out, imported as README says."""

    @pytest.mark.parametrize(
        ("provider", "content", "people"),
        [
            (
                "entra.csv",
                ENTRA,
                [
                    (
                        "ann_x.example#EXT#@corp.example.com",
                        "=1+3 Ann",
                        "ann@x.example.com",
                        "inactive",
                    ),
                    ("jane.doe@corp.example.com", "Jane Doe", "", "active"),
                ],
            ),
            (
                "google.csv",
                GOOGLE,
                [
                    ("ann@example.com", "Ann Lee", "ann@example.com", "inactive"),
                    ("jane@example.com", "Jane Doe", "jane@example.com", "active"),
                ],
            ),
        ],
    )
    def test_the_file_is_taken_and_the_second_time_unchanged(
        self, run, base, provider, content, people
    ):
        """Names, e-mails and status words; columns nobody needs are named."""
        options = readme_command(provider)
        status, printed = run(content, *options)
        assert (status, printed[0]) == (0, counted(added=2))
        assert printed[1].startswith("  columns not known and ignored: '")
        found = "SELECT username, name, email, status FROM member WHERE username LIKE '%@%'"
        assert select(base, f"{found} ORDER BY username") == people
        assert run(content, *options)[1][0] == counted(unchanged=2)

    def test_a_refusal_names_the_column_of_the_file(self, run):
        """The field alone would be looked for in vain."""
        content = ENTRA.replace("Member,True", "Member,maybe")
        status, printed = run(content, *readme_command("entra.csv"))
        assert status == 1
        assert printed[2].startswith(
            "  line 2: status (column {accountEnabled}) 'maybe': must be one of active, inactive"
        )

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (
                (),
                (
                    "has the columns userPrincipalName, displayName, surname, mail, givenName, id,"
                    " userType, accountEnabled, usageLocation; it lacks username and"
                    " organization_id"
                ),
            ),
            (("--map", "user={mail}"), "--map 'user={mail}' begins with no field"),
            (("--map", "username={UPN}"), "--map username: the file has no column 'UPN'"),
            (("--map", "name={"), "--map a brace of '{' has no partner"),
        ],
    )
    def test_a_file_is_not_read_when_fields_are_not_found(self, run, options, sentence):
        """The sentence names what is there."""
        status, printed = run(ENTRA, *options)
        assert status == 2
        assert sentence in printed[0]


class TestPeopleWhoLeft:
    """Missing, made inactive, back again."""

    PEOPLE = (JDOE, line("ann"), line("bob"), line("cat"))

    def test_the_report_says_how_many_and_the_option_lists_them(self, run, base):
        """With the tokens that work, and what can be done."""
        run(file(*self.PEOPLE))
        token_of(base, "ann")
        assert run(file(JDOE, line("cat"))) == (
            0,
            [
                counted(unchanged=2),
                (
                    "missing: 2 active users of 1 organization are on no line, with 1 working"
                    " token; --missing lists them, --deactivate-missing 2 makes them inactive"
                ),
            ],
        )
        assert run(file(JDOE, line("cat")), "--missing")[1][2:] == [
            "  'ann' ('Ann Lee') in UTCJF1, 1 working token",
            "  'bob' ('Bob Lee') in UTCJF1, 0 working tokens",
        ]

    def test_they_are_made_inactive_and_active_again(self, run, base):
        """Their tokens with them; the way back says how many work again."""
        run(file(*self.PEOPLE))
        tokens = [token_of(base, name) for name in ("ann", "bob", "cat")]
        assert run(file(JDOE), "--deactivate-missing", "3") == (
            0,
            [
                counted(unchanged=1),
                "missing: 3 active users of 1 organization are on no line, with 3 working tokens",
                "  3 users are now inactive, and their tokens stop working",
            ],
        )
        assert work(base, *tokens) == [False] * 3
        assert run(file(*self.PEOPLE))[1][-1] == "3 tokens work again."
        assert last_import(base) == (3, "users 3; 3 tokens work again")
        assert work(base, *tokens) == [True] * 3

    @pytest.mark.parametrize(
        ("lines", "number", "sentence"),
        [
            (
                (JDOE,),
                2,
                (
                    "  --deactivate-missing 2: 3 are missing; look at them with --missing,"
                    " then give that number"
                ),
            ),
            (
                (JDOE.replace("active", "inactive"),),
                3,
                (
                    "  --deactivate-missing 3: UTCJF1 would"
                    " have no active user left; add those who stay to the file"
                ),
            ),
        ],
    )
    def test_nothing_is_written_when_they_cannot_be_made_inactive(
        self, run, base, lines, number, sentence
    ):
        """The sentence says why."""
        run(file(*self.PEOPLE))
        before = everything(base)
        status, printed = run(file(*lines), "--deactivate-missing", str(number))
        assert (status, printed[-2:]) == (1, [sentence, "Nothing was written."])
        assert everything(base) == before

    def test_who_moved_is_named(self, run, base):
        """They still are active where they came from, which the file does not name."""
        token_of(base, "jdoe")
        assert run(file(JDOE.replace("UTCJF1", "UTTAN1"))) == (
            0,
            [
                counted(added=1),
                "missing: nobody",
                (
                    "still active elsewhere: 'jdoe' ('Jane Doe') in UTCJF1, which the users file"
                    " does not name, with 1 working token"
                ),
            ],
        )

    def test_roles_that_are_left_are_named(self, run, base):
        """Of somebody who is no active user any more."""
        for where in (None, "UTTAN1"):
            grants.grant_by_command(unit_of_work(base), "jdoe", [Grant(Role.SUPPORT, where)])
        assert run(file(JDOE.replace("active", "inactive")))[1][-1] == (
            "roles left: 'jdoe' is no active user anywhere and still is support in all"
            " organizations, support in UTTAN1; take roles away with the command revoke"
        )


class TestDryRun:
    """Everything is said, and nothing is written."""

    def test_it_says_what_the_import_says(self, run, base):
        """Also how many tokens would work again."""
        run(file(JDOE.replace(",active", ",inactive"), line("ann"), line("bob")))
        token = token_of(base, "jdoe")
        content, options = file(JDOE, line("new")), ("--missing", "--deactivate-missing", "2")
        before = everything(base)
        events = select(base, "SELECT * FROM audit_event")
        dry = run(content, *options, "--dry-run")
        assert everything(base) == before
        assert select(base, "SELECT * FROM audit_event") == events
        assert (dry[0], dry[1][-1]) == (0, "Dry run: nothing was written.")
        assert "1 token works again." in dry[1]
        wet = run(content, *options)
        assert [each.replace("would be", "are now") for each in dry[1][:-1]] == wet[1]
        assert work(base, token) == [True]

    def test_what_is_refused_is_refused(self, run, base):
        """With the exit status of the import."""
        before = everything(base)
        status, printed = run(file(line("x y"), JDOE), "--dry-run")
        assert (status, printed[-1]) == (1, SKIPPED)
        assert run("a,b\n", "--dry-run")[0] == 2
        assert everything(base) == before

    def test_the_last_administrator_stays_without_an_event(self, run, base):
        """A refusal is an event, and a dry run writes none."""
        grants.grant_by_command(unit_of_work(base), "boss", [Grant(Role.ADMINISTRATOR)])
        events = select(base, "SELECT * FROM audit_event")
        status, printed = run(file("boss,The Boss,boss@example.org,,inactive"), "--dry-run")
        assert status == 1
        assert "this would leave no API administrator" in printed[0]
        assert select(base, "SELECT * FROM audit_event") == events


class TestJson:
    """The same for machines, in one line."""

    def test_everything_that_the_lines_say(self, run, base):
        """Counts, refusals with their column, the missing, roles and tokens."""
        run(file(JDOE, line("ann"), line("bob", status="inactive")))
        tokens = [token_of(base, name) for name in ("jdoe", "bob")]
        grants.grant_by_command(unit_of_work(base), "ann", [Grant(Role.SUPPORT)])
        content = file(line("bob"), line("x y"), line("new")).replace("email", "E-mail", 1)
        status, (printed,) = run(content, "--json", "--missing", "--skip-bad-rows")
        told = json.loads(printed)
        assert status == 1
        (refusal,) = told["files"]["users"].pop("refusals")
        assert refusal | {"reason": ""} == {
            "line": 3,
            "field": "username",
            "column": "username",
            "value": "x y",
            "reason": "",
        }
        member = {"organization_id": "UTCJF1", "username": "ann", "name": "Ann Lee"}
        jane = {"organization_id": "UTCJF1", "username": "jdoe", "name": "Jane Doe"}
        assert told == {
            "accepted": True,
            "dry_run": False,
            "written": True,
            "files": {
                "users": {
                    "added": 1,
                    "updated": 1,
                    "unchanged": 0,
                    "refused": 1,
                    "ignored_columns": [],
                }
            },
            "missing": {
                "members": 2,
                "organizations": 1,
                "working_tokens": 1,
                "listed": [member | {"working_tokens": 0}, jane | {"working_tokens": 1}],
                "to_deactivate": None,
                "deactivated": 0,
                "would_be_empty": [],
            },
            "elsewhere": [],
            "roles_left": [],
            "tokens_that_work_again": 1,
        }
        assert work(base, *tokens) == [True, True]

    def test_roles_and_people_elsewhere(self, run, base):
        """And a dry run that deactivates."""
        run(file(JDOE, line("ann"), line("ann", "UTTAN1"), line("bob", "UTTAN1")))
        grants.grant_by_command(unit_of_work(base), "bob", [Grant(Role.SUPPORT, "UTCJF1")])
        content = file(line("new", "UTTAN1"), line("ann", "UTTAN1"), line("jdoe", "UTTAN1"))
        content = content.replace("Jdoe Lee,jdoe@example.com", "Jane Doe,jane@example.org")
        options = ("--json", "--dry-run", "--deactivate-missing", "1")
        told = json.loads(run(content, *options)[1][0])
        assert (told["accepted"], told["written"], told["missing"]["deactivated"]) == (
            True,
            False,
            1,
        )
        assert [each["username"] for each in told["elsewhere"]] == ["jdoe"]
        assert told["roles_left"] == [
            {"username": "bob", "name": "Bob Lee", "role": "support", "organization_id": "UTCJF1"}
        ]


class TestBadInput:
    """A sentence, and nothing is written."""

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "the file is empty; its first line must name the columns."),
            (b"PK\x03\x04\x14", "the file is a zip archive or an Excel workbook (.xlsx), no CSV;"),
            (
                "\ufeffName,Username,Email,Result\r\n",
                (
                    "has the columns Name, Username, Email,"
                    " Result; it lacks organization_id and status; name them in the first line"
                ),
            ),
            (
                BASE["organizations"],
                "this looks like the organizations file, so name it with --organizations.",
            ),
            (f"User Name,{HEADER}\n", "names a column twice: User Name, username"),
            (",".join(f"c{n}" for n in range(10_000)), "and 9,960 more; it lacks username"),
        ],
    )
    def test_a_file_is_not_read_when_it_is_no_users_file(self, run, base, content, sentence):
        """Exit 2."""
        before = everything(base)
        status, printed = run(content)
        assert (status, len(printed)) == (2, 1)
        assert sentence in printed[0]
        assert everything(base) == before

    def test_a_file_with_a_header_alone_is_taken(self, run):
        """It says that there are no rows, as an export that went wrong has none."""
        assert run(f"{HEADER}\n") == (
            0,
            [counted(), "  the file has a header and no rows", "missing: nobody"],
        )

    def test_ten_thousand_refusals_are_told_and_the_rest_is_counted(self, run):
        """A million would fill memory and a terminal."""
        bad = (f"x y,Person {n},,UTCJF1,active" for n in range(10_500))
        status, printed = run(file(JDOE, *bad))
        assert (status, printed[0]) == (1, counted(unchanged=1).replace("0 ref", "10,500 ref"))
        assert printed[10_000].startswith("  line 10002: username 'x y': must be")
        assert printed[10_001] == (
            "  and 500 more rows, of which nothing is told: mend these first"
        )

    def test_ten_thousand_columns_are_taken_and_few_are_named(self, run):
        """The report stays short."""
        more = ",".join(f"c{n}" for n in range(10_000))
        content = f"{HEADER},{more}\n{JDOE}{',x' * 10_000}\n"
        status, printed = run(content)
        assert (status, printed[0]) == (0, counted(unchanged=1))
        assert printed[1].endswith("'c19' and 9,980 more")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("--users", "b.csv"), "--users is named twice: import one file after the other"),
            (
                ("--skip-bad-rows", "--deactivate-missing", "1"),
                "--deactivate-missing does not go with --skip-bad-rows",
            ),
        ],
    )
    def test_options_that_do_not_go_together(self, run, options, sentence):
        """Exit 2."""
        status, printed = run(file(JDOE), *options)
        assert (status, len(printed)) == (2, 1)
        assert printed[0].startswith(sentence)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("--missing",), "--missing is about the users file: name that with --users."),
            (("--deactivate-missing", "0"), "--deactivate-missing is about the users file"),
        ],
    )
    def test_options_about_users_need_that_file(self, run, options, sentence):
        """Other files name nobody."""
        status, printed = run(BASE["services"], *options, name="services")
        assert status == 2
        assert printed[0].startswith(sentence)

    def test_a_mapping_is_about_the_only_file(self, run, tmp_path):
        """Or about the users file; of several others nobody knows which."""
        content = "id,Title\nplats,Plats\n"
        mapped = ("--map", "service={id}", "--map", "name={Title}")
        assert run(content, *mapped, name="services")[0] == 0
        other = tmp_path / "organizations.csv"
        other.write_text(BASE["organizations"])
        status, printed = run(content, *mapped, "--organizations", str(other), name="services")
        assert status == 2
        assert printed[0].startswith("--map is about the users file, or the only file")

    @pytest.mark.parametrize("number", ["-1", "x", "1.5", "٣", ""])
    def test_a_number_that_is_none(self, run, number, capsys):
        """The usage is printed."""
        with pytest.raises(SystemExit) as stop:
            run(file(JDOE), f"--deactivate-missing={number}")
        assert stop.value.code == 2
        assert "is no whole number" in capsys.readouterr().err

    def test_a_username_that_begins_with_a_hyphen(self, run, base, capsys):
        """The usage of `grant` and the refusal of the import show what to type."""
        run(file(line("-sam")))
        with pytest.raises(SystemExit):
            cli.main(["grant", "-sam", "support"])
        assert "grant -- -sam support" in capsys.readouterr().err
        assert cli.main(["grant", "--", "-sam", "support"]) == 0
        other = "-sam,Other Person,other@example.com,UTCJF1,active"
        status, printed = run(file(other))
        assert (status, "add --same-person=-sam; if not" in printed[1]) == (1, True)
        assert run(file(other), "--same-person=-sam")[0] == 0
        assert cli.main(["revoke", "--", "-sam", "support"]) == 0
        assert select(base, "SELECT count(*) FROM role_grant") == [(0,)]
