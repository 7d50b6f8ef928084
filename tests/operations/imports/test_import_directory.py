"""What the importer takes, what it refuses, and what it leaves as it was."""

import re
import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from lib.operations.imports.csv_reader import FileError
from lib.operations.imports.import_directory import ImportOptions, import_directory
from lib.operations.imports.parse import Parsed, parse
from lib.operations.imports.report import Report
from lib.operations.imports.schema import SCHEMAS
from lib.store.engine import reading, writing
from tests.support.directory import unit_of_work

ORGANIZATIONS = (
    "organization_id,name,type,status,state,telephone\n"
    "UTCJF1,Juniper County Recorder,recipient,active,UT,(801) 555-0101\n"
    "NVTBL2,Blue Mesa Abstract,submitter,active,NV,\n"
)
SERVICES = "service,name\nerecording,eRecording\nplat-review,Plat Review\n"
SUBSCRIPTIONS = (
    "organization_id,service,status,seats\n"
    "UTCJF1,erecording,active,350\n"
    "NVTBL2,erecording,active,\n"
)
USERS_HEADER = "username,name,email,organization_id,status\n"
USERS = (
    USERS_HEADER + "acastillo,Ana Castillo,acastillo@example.com,UTCJF1,active\n"
    "acastillo,Ana Castillo,acastillo@example.com,NVTBL2,inactive\n"
    "znunez,Zoë Núñez,,UTCJF1,active\n"
    "mhale,Morgan Hale,mhale@example.com,,active\n"
)
ALL = {
    "organizations": ORGANIZATIONS,
    "services": SERVICES,
    "subscriptions": SUBSCRIPTIONS,
    "users": USERS,
}


def read(**files: str) -> dict[str, Parsed]:
    """Return files given as text, parsed."""
    return {name: parse(name, content.encode()) for name, content in files.items()}


def take(engine: Engine, *, skip_bad_rows: bool = False, **files: str) -> Report:
    """Import files given as text."""
    return import_directory(
        unit_of_work(engine), read(**files), ImportOptions(skip_bad_rows=skip_bad_rows)
    )


def counts(report: Report) -> dict[str, tuple[int, int, int, int]]:
    """Return (added, updated, unchanged, refused) of each file."""
    return {
        name: (file.added, file.updated, file.unchanged, len(file.refusals))
        for name, file in report.files.items()
    }


def rows(engine: Engine, statement: str) -> list[tuple]:
    """Return what `statement` finds."""
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def told(parsed: Parsed) -> tuple:
    """Return what a file says: its rows, what is refused, and what is ignored."""
    return [*parsed.rows], [*parsed.refusals], parsed.ignored


def users(*lines: str) -> Parsed:
    """Return a users file with `lines` below its header, parsed."""
    return parse("users", (USERS_HEADER + "".join(f"{line}\n" for line in lines)).encode())


def only_refusal(parsed: Parsed) -> tuple:
    """Return the one refusal of a file."""
    (refusal,) = parsed.refusals
    return tuple(refusal)


class TestReadingAFile:
    """A file as a spreadsheet writes it."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    @pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
    def test_byte_order_mark_and_line_ends_do_not_matter(self, encoding, ending):
        """With or without BOM, Unix, Windows or old Macintosh line ends: the same rows."""
        content = USERS.replace("\n", ending).encode(encoding)
        assert told(parse("users", content)) == told(parse("users", USERS.encode()))

    def test_columns_stand_in_any_order_and_any_case(self):
        """The header is trimmed, and its case and order do not count."""
        parsed = parse("services", b" Name ,SERVICE\nPlat Review,plat-review\n")
        assert next(iter(parsed.rows)).values == {"service": "plat-review", "name": "Plat Review"}

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_semicolons_and_tabs_separate_cells_too(self, delimiter):
        """A spreadsheet writes semicolons where the comma is the decimal sign."""
        content = SERVICES.replace(",", delimiter).encode()
        assert told(parse("services", content)) == told(parse("services", SERVICES.encode()))

    def test_unknown_columns_are_named_and_ignored(self):
        """A column nobody knows does no harm, and the report names it."""
        parsed = parse("services", b"service,Shoe Size,name,\nx,44,X,\n")
        assert parsed.ignored == ("Shoe Size",)
        assert next(iter(parsed.rows)).values == {"service": "x", "name": "X"}

    def test_a_row_is_known_by_the_line_on_which_it_starts(self):
        """Quoted line breaks before a row count as lines."""
        content = ORGANIZATIONS.replace("telephone", "address").replace(
            "(801) 555-0101", '"1 Main Street\r\nJuniper\r\nUT"'
        )
        parsed = parse("organizations", content.encode())
        assert [row.line for row in parsed.rows] == [2, 5]
        assert next(iter(parsed.rows)).values["address"] == "1 Main Street\nJuniper\nUT"

    def test_rows_without_text_are_passed_over(self):
        """Blank lines, and rows of nothing but commas, are no rows."""
        parsed = parse("services", b"service,name\n\n , \nx,X\n,\n")
        assert [row.line for row in parsed.rows] == [4]
        assert not parsed.refusals

    def test_values_are_trimmed_and_words_take_any_case(self):
        """White space around a value goes; Active is active, ut is UT."""
        parsed = parse(
            "organizations",
            b"organization_id,name,type,status,state\n UTCJF1 , Juniper ,Recipient,ACTIVE,ut\n",
        )
        assert next(iter(parsed.rows)).values == {
            "organization_id": "UTCJF1",
            "name": "Juniper",
            "type": "recipient",
            "status": "active",
            "state": "UT",
        }

    def test_accents_are_composed(self):
        """A name typed on a Macintosh equals the same name typed elsewhere (NFC)."""
        assert next(iter(users("z,Zoe\u0308,,,active").rows)).values["name"] == "Zo\u00eb"

    def test_a_formula_is_a_name_like_any_other(self):
        """It is shown as written, and disarmed when it leaves in a CSV."""
        assert next(iter(users("x,=1+1,,,active").rows)).values["name"] == "=1+1"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "empty"),
            (b"\xef\xbb\xbf\r\n", "empty"),
            ("service,name\nx,Zoë\n".encode("latin-1"), "line 2 is not UTF-8; save the file as"),
            (b"service\nx\n", "has the columns service; it lacks name; name it in the first line"),
            (b"a,b\nx,X\n", "has the columns a, b; it lacks service and name; name them"),
            (b"service,name,NAME\nx,X,Y\n", "names a column twice: name, NAME"),
            (b'service,name\nx,X\ny,"Y\nz,Z\n', "starts on line 3 a quotation mark"),
            (b'service,name\nx,"X" Y\n', "starts on line 2 a quotation mark"),
        ],
    )
    def test_a_file_that_cannot_be_used(self, content, sentence):
        """It is refused as a whole, with the fix."""
        with pytest.raises(FileError, match=sentence):
            parse("services", content)

    @given(st.sampled_from(sorted(SCHEMAS)), st.binary() | st.text().map(str.encode))
    def test_any_bytes_give_rows_or_a_sentence(self, name, content):
        """Nothing in a file makes anything else happen."""
        header = ",".join(SCHEMAS[name].required).encode()
        for whole in (content, header + b"\n" + content):
            with suppress(FileError):
                parsed = parse(name, whole)
                lines = [row.line for row in (*parsed.rows, *parsed.refusals)]
                assert len(lines) == len(set(lines))


class TestRefusingARow:
    """Each refusal names line, field, value and reason."""

    @pytest.mark.parametrize(
        ("line", "field", "reason"),
        [
            ("x,Ana,a@b,utcjf1,active", "organization_id", "6 characters, each a capital"),
            ("x,Ana,a@b,UTCJF12,active", "organization_id", "6 characters"),
            ("x,Ana,a@b,UTCJF\u0661,active", "organization_id", "6 characters"),
            (",Ana,a@b,UTCJF1,active", "username", "1 to 100 characters"),
            ("x y,Ana,a@b,UTCJF1,active", "username", "without white space"),
            (f"{'x' * 101},Ana,a@b,UTCJF1,active", "username", "has 101 characters"),
            ("x,,a@b,UTCJF1,active", "name", "must not be empty"),
            (f"x,{'A' * 10_000},a@b,UTCJF1,active", "name", "has 10,000 characters; at most 200"),
            (f"x,{'A' * 200_000},a@b,UTCJF1,active", "name", "has 200,000 characters"),
            ("x,An\0a,a@b,UTCJF1,active", "name", r"U\+0000; delete it"),
            ("x,An\x1ba,a@b,UTCJF1,active", "name", r"U\+001B"),
            ("x,An\u202ea,a@b,UTCJF1,active", "name", r"U\+202E"),
            ("x,Ana,ab,UTCJF1,active", "email", "one @"),
            ("x,Ana,a@b@c,UTCJF1,active", "email", "one @"),
            (f"x,Ana,{'a' * 253}@b,UTCJF1,active", "email", "has 255 characters; at most 254"),
            ("x,Ana,a@b,UTCJF1,", "status", "one of active, inactive, pending"),
            ("x,Ana,a@b,UTCJF1,asleep", "status", "one of active, inactive, pending"),
            ("x,Ana,a@b,UTCJF1", "status", "one of active"),
            ("x,Castillo, Ana,a@b,UTCJF1,active", "row", "one cell more than the header"),
        ],
    )
    def test_users(self, line, field, reason):
        """Every rule of the users file, one broken at a time."""
        number, where, _, why = only_refusal(users(line))
        assert (number, where) == (2, field)
        assert re.search(reason, why)

    @pytest.mark.parametrize(
        ("column", "value", "reason"),
        [
            ("service", "eRecording", "lower-case"),
            ("service", "x" * 33, "1 to 32"),
            ("seats", "-1", "whole number"),
            ("seats", "1,000", "whole number"),
            ("seats", "2147483648", "whole number"),
            ("seats", "9" * 5_000, "whole number"),
            ("since", "1/31/2026", "2026-01-31"),
            ("starts_on", "2026-02-30", "2026-01-31"),
            ("plan", "x" * 1_001, "at most 1,000"),
        ],
    )
    def test_subscriptions(self, column, value, reason):
        """Every rule of the subscriptions file, one broken at a time."""
        cells = {"organization_id": "UTCJF1", "service": "x", "status": "active", column: value}
        content = f"{','.join(cells)}\n" + ",".join(f'"{cell}"' for cell in cells.values())
        line, where, shown, why = only_refusal(parse("subscriptions", content.encode()))
        assert (line, where, shown) == (2, column, value)
        assert reason in why

    def test_the_later_of_two_rows_with_one_key(self):
        """It is refused, naming the line of the first."""
        parsed = parse("services", b"service,name\nx,X\ny,Y\nx,Z\n")
        assert [row.line for row in parsed.rows] == [2, 3]
        line, field, value, reason = only_refusal(parsed)
        assert (line, field, value) == (4, "service", "x")
        assert "repeats service of line 2" in reason

    def test_a_username_twice_in_one_organization(self):
        """The key of a membership is the username and the organization."""
        parsed = users("x,Ana,,UTCJF1,active", "x,Ana,,NVTBL2,active", "x,Ana,,UTCJF1,active")
        assert "repeats username and organization_id of line 2" in only_refusal(parsed)[3]

    def test_all_rows_of_a_username_that_disagree(self):
        """Nobody knows which is right, so none is taken; each is refused once."""
        parsed = users(
            "x,Ana,a@b,UTCJF1,active",
            "y,Ben,,UTCJF1,active",
            "x,Ana,a@b,NVTBL2,active",
            "x,Anna,a@c,,active",
        )
        assert [row.line for row in parsed.rows] == [3]
        assert [(r.line, r.field) for r in parsed.refusals] == [
            (2, "name"),
            (4, "name"),
            (5, "name"),
        ]
        assert "differs from line 5" in next(iter(parsed.refusals)).reason
        assert "differs from line 2" in [*parsed.refusals][2].reason

    def test_a_username_that_is_staff_and_a_user(self):
        """Nobody knows which is meant, so none of its rows is taken; each names the other line."""
        parsed = users(
            "x,Ana,,UTCJF1,active", "y,Ben,,,active", "x,Ana,,,active", "x,Ana,,NVTBL2,active"
        )
        assert [row.line for row in parsed.rows] == [3]
        assert [(r.line, r.field, r.value) for r in parsed.refusals] == [
            (2, "organization_id", "UTCJF1"),
            (4, "organization_id", ""),
            (5, "organization_id", "NVTBL2"),
        ]
        for refusal, other in zip(parsed.refusals, (4, 2, 4), strict=True):
            assert refusal.reason == (
                "a staff account belongs to no organization, but line"
                f" {other} says otherwise of x; give the staff account a username of its own"
            )


class TestImporting:
    """What a good import leaves in the database."""

    def test_everything_is_added(self, engine):
        """Rows that are not there yet are added, and counted by row of the file."""
        report = take(engine, **ALL)
        assert counts(report) == {
            "organizations": (2, 0, 0, 0),
            "services": (2, 0, 0, 0),
            "subscriptions": (2, 0, 0, 0),
            "users": (4, 0, 0, 0),
        }
        assert report.written
        assert report.all_taken

    def test_organizations_are_found_by_name_and_id(self, engine):
        """The search key is folded."""
        take(engine, organizations=ORGANIZATIONS)
        assert ("juniper county recorder utcjf1",) in rows(
            engine, "SELECT search_key FROM organization"
        )

    def test_a_user_has_one_account_and_a_membership_a_line(self, engine):
        """Name and e-mail stand in both; the status belongs to the membership."""
        take(engine, **ALL)
        assert rows(
            engine, "SELECT username, name, email, staff_status FROM user_account ORDER BY username"
        ) == [
            ("acastillo", "Ana Castillo", "acastillo@example.com", None),
            ("mhale", "Morgan Hale", "mhale@example.com", "active"),
            ("znunez", "Zoë Núñez", "", None),
        ]
        assert rows(
            engine,
            "SELECT username, organization_id, status, name, sort_key, search_key"
            " FROM member ORDER BY username, organization_id",
        ) == [
            (
                "acastillo",
                place,
                status,
                "Ana Castillo",
                "ana castillo",
                "ana castillo acastillo acastillo@example.com",
            )
            for place, status in (("NVTBL2", "inactive"), ("UTCJF1", "active"))
        ] + [("znunez", "UTCJF1", "active", "Zoë Núñez", "zoe nunez", "zoe nunez znunez")]

    def test_the_same_again_changes_nothing(self, engine):
        """Every row is unchanged, and no revision rises."""
        take(engine, **ALL)
        before = rows(engine, "SELECT * FROM member ORDER BY member_id")
        report = take(engine, **ALL)
        assert counts(report)["users"] == (0, 0, 4, 0)
        assert counts(report)["organizations"] == (0, 0, 2, 0)
        assert rows(engine, "SELECT * FROM member ORDER BY member_id") == before
        assert rows(engine, "SELECT DISTINCT revision FROM subscription") == [(0,)]

    def test_what_differs_is_updated(self, engine):
        """Each file's facts follow the newest import."""
        take(engine, **ALL)
        report = take(
            engine,
            organizations=ORGANIZATIONS.replace("Blue Mesa Abstract", "Green Mesa Abstract"),
            services=SERVICES.replace("Plat Review", "Plats"),
            subscriptions=SUBSCRIPTIONS.replace("350", "400").replace(
                "recording,active,\n", "recording,inactive,7\n"
            ),
        )
        assert counts(report) == {
            "organizations": (0, 1, 1, 0),
            "services": (0, 1, 1, 0),
            "subscriptions": (0, 2, 0, 0),
        }
        assert rows(
            engine, "SELECT name, search_key FROM organization WHERE organization_id = 'NVTBL2'"
        ) == [("Green Mesa Abstract", "green mesa abstract nvtbl2")]
        assert rows(engine, "SELECT name FROM service WHERE service_id = 'plat-review'") == [
            ("Plats",)
        ]
        assert rows(
            engine, "SELECT organization_id, status, seats FROM subscription ORDER BY 1"
        ) == [("NVTBL2", "inactive", 7), ("UTCJF1", "active", 400)]

    def test_a_column_that_is_missing_leaves_what_is_stored(self, engine):
        """An empty cell empties it."""
        take(engine, **ALL)
        telephone = "SELECT telephone FROM organization WHERE organization_id = 'UTCJF1'"
        required = "organization_id,name,type,status,state"
        row = "UTCJF1,Juniper,recipient,active,UT"
        take(engine, organizations=f"{required}\n{row}\n")
        assert rows(engine, telephone) == [("(801) 555-0101",)]
        take(engine, organizations=f"{required},telephone\n{row},\n")
        assert rows(engine, telephone) == [("",)]

    def test_a_new_name_reaches_every_membership(self, engine):
        """Also those of organizations that the file does not name."""
        take(engine, **ALL)
        report = take(
            engine, users=USERS_HEADER + "acastillo,Ana Núñez,ana@example.com,UTCJF1,active\n"
        )
        assert counts(report)["users"] == (0, 1, 0, 0)
        assert rows(engine, "SELECT name FROM user_account WHERE username = 'acastillo'") == [
            ("Ana Núñez",)
        ]
        assert (
            rows(
                engine,
                "SELECT name, email, sort_key, search_key FROM member WHERE username = 'acastillo'",
            )
            == [
                ("Ana Núñez", "ana@example.com", "ana nunez", "ana nunez acastillo ana@example.com")
            ]
            * 2
        )

    def test_a_new_status_reaches_its_membership_alone(self, engine):
        """The same person elsewhere keeps theirs."""
        take(engine, **ALL)
        take(engine, users=USERS.replace("NVTBL2,inactive", "NVTBL2,active"))
        assert rows(
            engine,
            "SELECT organization_id, status FROM member WHERE username = 'acastillo' ORDER BY 1",
        ) == [("NVTBL2", "active"), ("UTCJF1", "active")]

    def test_a_staff_account_is_switched_off_by_its_status(self, engine):
        """The account stays, inactive."""
        take(engine, **ALL)
        staff = "SELECT staff_status FROM user_account WHERE username = 'mhale'"
        take(engine, users=USERS_HEADER + "mhale,Morgan Hale,mhale@example.com,,inactive\n")
        assert rows(engine, staff) == [("inactive",)]

    @pytest.mark.parametrize(
        ("files", "raised"),
        [
            ({"users": USERS.replace("Ana Castillo", "Ana Egan")}, {"UTCJF1", "NVTBL2"}),
            ({"users": USERS.replace("NVTBL2,inactive", "NVTBL2,active")}, {"NVTBL2"}),
            ({"users": USERS_HEADER + "new,New,,UTCJF1,active\n"}, {"UTCJF1"}),
            ({"users": USERS_HEADER + "acastillo,Ana,,UTCJF1,active\n"}, {"UTCJF1", "NVTBL2"}),
            ({"subscriptions": SUBSCRIPTIONS.replace("350", "9")}, {"UTCJF1"}),
            (
                {"organizations": ORGANIZATIONS.replace("submitter,active", "submitter,inactive")},
                {"NVTBL2"},
            ),
            ({"services": SERVICES.replace("Plat Review", "Plats")}, set()),
        ],
    )
    def test_a_plan_made_before_is_looked_at_again(self, engine, files, raised):
        """The revision rises where users, subscriptions or standing change, nowhere else."""
        take(engine, **ALL)
        take(engine, **files)
        found = rows(engine, "SELECT organization_id FROM subscription WHERE revision = 1")
        assert {row[0] for row in found} == raised


class TestRefusingReferences:
    """A row may name what is stored, or what the same import takes."""

    def test_an_unknown_organization(self, engine):
        """Users and subscriptions name the line, the field and the fix."""
        report = take(engine, services=SERVICES, subscriptions=SUBSCRIPTIONS, users=USERS)
        assert counts(report)["subscriptions"] == (0, 0, 0, 2)
        refusals = report.files["users"].refusals
        assert [(r.line, r.field, r.value) for r in refusals] == [
            (2, "organization_id", "UTCJF1"),
            (3, "organization_id", "NVTBL2"),
            (4, "organization_id", "UTCJF1"),
        ]
        assert "no such organization; add it to the organizations file" in refusals[0].reason

    def test_an_unknown_service(self, engine):
        """A subscription needs its service."""
        report = take(engine, organizations=ORGANIZATIONS, subscriptions=SUBSCRIPTIONS)
        assert {r.field for r in report.files["subscriptions"].refusals} == {"service"}

    def test_what_is_stored_may_be_named(self, engine):
        """Files can come one at a time."""
        for name, content in ALL.items():
            assert take(engine, **{name: content}).all_taken

    def test_a_refused_organization_takes_its_rows_along(self, engine):
        """Its users and subscriptions cannot be taken without it."""
        bad = ALL | {"organizations": ORGANIZATIONS.replace("submitter", "sender")}
        report = take(engine, skip_bad_rows=True, **bad)
        assert counts(report) == {
            "organizations": (1, 0, 0, 1),
            "services": (2, 0, 0, 0),
            "subscriptions": (1, 0, 0, 1),
            "users": (3, 0, 0, 1),
        }


class TestRefusingStaffAmongUsers:
    """A staff account belongs to no organization, whatever is stored already."""

    def test_a_membership_for_a_stored_staff_account(self, engine):
        """The row is refused, also while the account is inactive; the account stays as it is."""
        staff = "mhale,Morgan Hale,mhale@example.com"
        take(engine, **ALL)
        take(engine, users=f"{USERS_HEADER}{staff},,inactive\n")
        report = take(engine, users=f"{USERS_HEADER}{staff},UTCJF1,active\n")
        assert not report.written
        assert [tuple(r) for r in report.files["users"].refusals] == [
            (
                2,
                "organization_id",
                "UTCJF1",
                (
                    "a staff account belongs to no organization, and mhale is one;"
                    " give this user another username"
                ),
            )
        ]

    def test_a_staff_account_for_a_stored_user(self, engine):
        """The row is refused, names an organization of the user, and the others are taken."""
        take(engine, **ALL)
        report = take(
            engine,
            skip_bad_rows=True,
            users=f"{USERS_HEADER}znunez,Zoë Núñez,,,active\nnew,New,,,active\n",
        )
        assert counts(report)["users"] == (1, 0, 0, 1)
        assert [tuple(r) for r in report.files["users"].refusals] == [
            (
                2,
                "organization_id",
                "",
                (
                    "a staff account belongs to no organization, and znunez is a user of UTCJF1;"
                    " give the staff account a username of its own"
                ),
            )
        ]
        assert rows(
            engine, "SELECT username FROM user_account WHERE staff_status = 'active' ORDER BY 1"
        ) == [("mhale",), ("new",)]


class TestAllOrNothing:
    """One refused row holds everything back, unless bad rows are skipped."""

    BAD = ALL | {"users": USERS + "bad user,B,,UTCJF1,active\n"}

    def test_nothing_is_written_when_a_row_is_refused(self, engine):
        """Not even from the other files."""
        report = take(engine, **self.BAD)
        assert (report.written, report.all_taken) == (False, False)
        assert counts(report)["users"] == (4, 0, 0, 1)
        for table in ("organization", "service", "subscription", "user_account", "member"):
            assert rows(engine, f"SELECT count(*) FROM {table}") == [(0,)]

    def test_good_rows_are_taken_when_bad_ones_are_skipped(self, engine):
        """The report still says that something was refused."""
        report = take(engine, skip_bad_rows=True, **self.BAD)
        assert (report.written, report.all_taken) == (True, False)
        assert rows(engine, "SELECT count(*) FROM member") == [(3,)]

    def test_two_imports_at_once_come_one_after_the_other(self, engine):
        """The second finds what the first left."""
        reports = []
        runs = [threading.Thread(target=lambda: reports.append(take(engine, **ALL))) for _ in "ab"]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        assert sorted(counts(report)["users"] for report in reports) == [(0, 0, 4, 0), (4, 0, 0, 0)]

    def test_an_error_half_way_leaves_nothing(self, engine):
        """The transaction is one: what fails at the end takes back the beginning."""
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE member RENAME TO elsewhere"))
        with pytest.raises(Exception, match="member"):
            take(engine, **ALL)
        assert rows(engine, "SELECT count(*) FROM organization") == [(0,)]
