"""Headers as people write them, and other programs' columns."""

import pytest

from lib.operations.imports.csv_reader import FileError
from lib.operations.imports.field_map import FieldMapError, read_map
from lib.operations.imports.layout import Layout, lay_out
from lib.operations.imports.packed import Row
from lib.operations.imports.schema import SCHEMAS

FIELDS = ("username", "name", "email", "organization_id", "status")


def users(*header: str, mapped: tuple[str, ...] = ()) -> Layout:
    """Return how a users file with this header is read."""
    return lay_out("users", header, read_map(mapped, SCHEMAS["users"].checks))


class TestHeaders:
    """Case, spaces, hyphens and underscores do not count."""

    @pytest.mark.parametrize(
        "header",
        [
            ("User Name", "NAME", "E-mail", "Organization ID", "Status"),
            ("user_name", "na-me", "e_mail", "organization-id", " status "),
            ("USERNAME", "Name", "EMail", "OrganizationId", "STATUS"),
            ("user\u00a0name", "name", "e\u2011mail", "Organization\nID", "\tstatus"),
            (
                "\ufeffusername",
                "na\u00adme",
                "email\u200b",
                "\u200eorganization_id",
                "status\u2060",
            ),
            ("ｕｓｅｒｎａｍｅ", "name", "email", "organization＿id", "status"),
        ],
    )
    def test_a_field_is_found_however_its_header_is_written(self, header):
        """Invisible characters round it do not count either."""
        layout = users(*header)
        assert [(field.name, field.source) for field in layout.fields] == [
            (name, FIELDS.index(name)) for name in SCHEMAS["users"].checks
        ]
        assert layout.ignored == ()

    @pytest.mark.parametrize(
        ("header", "columns"),
        [
            ((*FIELDS, "User Name"), "username, User Name"),
            ((*FIELDS, "Shoe size", "shoe-size"), "Shoe size, shoe-size"),
        ],
    )
    def test_two_headers_are_refused_when_they_are_equal_but_for_that(self, header, columns):
        """Nobody knows which one is meant."""
        with pytest.raises(FileError, match=f"names a column twice: {columns} .* rename one"):
            users(*header)

    def test_headers_without_text_are_no_columns(self):
        """A spreadsheet leaves some at the end."""
        assert users(*FIELDS, "", " ", "\ufeff").ignored == ()

    def test_a_refusal_names_what_was_found_and_what_is_missing(self):
        """And how to mend it."""
        with pytest.raises(FileError) as fault:
            users("User Name", "Full\nName", "E-mail", "Organization ID", "Status")
        assert str(fault.value) == (
            "has the columns User Name, Full Name, E-mail, Organization ID, Status; it lacks name;"
            " name it in the first line, or map it: --map 'name={Header}'"
        )

    def test_a_refusal_stays_short_when_there_are_ten_thousand_columns(self):
        """Names are cut, and the rest is counted."""
        with pytest.raises(FileError, match=r"x…, column 1, .*column 39 and 9,960 more") as fault:
            users("x" * 10_000, *(f"column {n}" for n in range(1, 10_000)))
        assert len(str(fault.value)) < 1_000

    def test_another_file_is_recognized(self):
        """Two files that were swapped."""
        with pytest.raises(
            FileError,
            match="it lacks username and email; this looks like the"
            " organizations file, so name it with --organizations",
        ):
            users(*SCHEMAS["organizations"].required)


class TestMapping:
    """What fields are made of, in another program's export."""

    def read(self, *mapped: str, header: str = "First,Last Name,Mail,Sta[t]us", cells: str) -> Row:
        """Return the row of a users file."""
        row = users(*header.split(","), mapped=mapped).read(2, cells.split(","))
        assert isinstance(row, Row)
        return row

    def test_a_template_takes_cells_and_text(self):
        """Headers are found as in a file; what is not in braces stands for itself."""
        row = self.read(
            "username={mail}",
            "name={FIRST} {last-name}",
            "email={Mail}",
            "organization_id=UTCJF1",
            "status={Sta[t]us}",
            cells="Jane,Doe,jane@example.com,TRUE",
        )
        assert row.values == {
            "username": "jane@example.com",
            "organization_id": "UTCJF1",
            "name": "Jane Doe",
            "email": "jane@example.com",
            "status": "active",
        }

    def test_a_cell_is_cleaned_before_it_is_put_together(self):
        """An empty one leaves no space, an exporter's apostrophe goes, braces can be written."""
        row = self.read(
            "username={Mail}",
            "name={First} {Last Name}",
            "email=",
            "organization_id=UTCJF1",
            "status=active",
            cells="'=Jane\xa0, ,'+15555550100,",
        )
        assert (row.values["username"], row.values["name"]) == ("+15555550100", "=Jane")
        mapped = ("name={{{First}}}", "username=x", "email=", "organization_id=", "status=active")
        assert self.read(*mapped, cells="J,,,").values["name"] == "{J}"

    def test_a_template_goes_before_a_column_of_that_name(self):
        """And that column counts as ignored."""
        layout = users(*FIELDS, "Full Name", mapped=("name={Full Name}",))
        assert (layout.ignored, layout.sources) == (("name",), {"name": "{Full Name}"})

    def test_a_refusal_can_name_the_column(self):
        """Where it is not the field's own name."""
        layout = users("User Name", "name", "E-mail", "organization_id", "status")
        assert layout.sources == {"username": "User Name", "email": "E-mail"}

    @pytest.mark.parametrize(
        ("mapped", "sentence"),
        [
            (("fullname={Name}",), "'fullname={Name}' begins with no field; write FIELD=TEMPLATE"),
            (("name",), "FIELD being one of username, organization_id, name, email, status"),
            (("name={A}", "Name={B}"), "name is mapped twice"),
            (("name={A",), "a brace of '{A' has no partner"),
            (("name=A}",), "has no partner"),
            (("name={}",), "has no partner"),
            (("name={A{B}}",), "has no partner"),
            (("name={Nome}",), "name: the file has no column 'Nome'; it has the columns username"),
        ],
    )
    def test_a_mapping_is_refused_when_it_cannot_be_used(self, mapped, sentence):
        """The sentence says why."""
        with pytest.raises(FieldMapError) as fault:
            users(*FIELDS, mapped=mapped)
        assert sentence in str(fault.value)
