"""What one cell may hold."""

import pytest

from lib.operations.imports.cell_checks import CellError, clean, visible
from lib.operations.imports.schema import SCHEMAS

USERS = SCHEMAS["users"].checks
#: The characters of the manuals of spreadsheets and web pages that nobody sees.
INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2063\ufe0f\ufeff\u3164"
WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"


def refusal(field: str, cell: str) -> str:
    """Return why a cell of a users file is refused."""
    with pytest.raises(CellError) as fault:
        USERS[field](clean(cell))
    return str(fault.value)


class TestIds:
    """Usernames, e-mails, and ids of organizations and services."""

    @pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
    @pytest.mark.parametrize(
        ("field", "cell"),
        [("username", "j{}doe"), ("email", "j{}@example.com"), ("organization_id", "UTC{}JF")],
    )
    @pytest.mark.parametrize("where", ["before", "inside", "behind"])
    def test_an_invisible_character_is_refused_wherever_it_stands(
        self, character, field, cell, where
    ):
        """With its code point: two ids that look the same are two."""
        plain = cell.format("")
        written = {
            "before": character + plain,
            "inside": cell.format(character),
            "behind": plain + character,
        }[where]
        assert refusal(field, written) == (
            f"holds the invisible character U+{ord(character):04X}; delete it"
        )
        assert visible(written) == plain

    @pytest.mark.parametrize(
        "cell", ["4.94E+12", "4,94E+12", "1E+12", "1.5e+10", "-4.9E+12", "2.5E-07", "'+4.9E+12"]
    )
    @pytest.mark.parametrize("field", ["username", "organization_id"])
    def test_an_id_is_refused_when_a_spreadsheet_shortened_it(self, field, cell):
        """Its digits are lost."""
        assert refusal(field, cell).startswith("is a number as a spreadsheet shortens it")

    @pytest.mark.parametrize("cell", ["12E345", "123", "E+12", "4.94", "4.94E+", "x4.94E+12"])
    def test_an_id_is_taken_when_it_only_looks_like_one(self, cell):
        """A sign behind the E tells."""
        assert USERS["username"](cell) == cell

    def test_letters_of_any_script_make_a_username(self):
        """Only what nobody sees is refused."""
        assert USERS["username"]("zoë.太郎") == "zoë.太郎"


class TestNames:
    """Names of people, organizations and services."""

    @pytest.mark.parametrize("space", [*WHITE, "\r\n", "  \t "], ids=ascii)
    def test_white_space_of_any_kind_becomes_one_space(self, space):
        """A line break in a cell of a spreadsheet, a tab, a space that does not break."""
        assert USERS["name"](clean(f"{space}Jane{space}Doe{space}")) == "Jane Doe"

    @pytest.mark.parametrize(
        "character", set(INVISIBLE) - set("\u180e\u200c\u200d\ufe0f"), ids=ascii
    )
    def test_invisible_characters_are_removed(self, character):
        """Before and behind and inside, also between two spaces."""
        cell = f"{character}Ja{character}ne {character} Doe{character}"
        assert USERS["name"](clean(cell)) == "Jane Doe"

    @pytest.mark.parametrize(
        "name", ["نامه\u200cای", "क\u094d\u200dष", "葛\U000e0100城"], ids=ascii
    )
    def test_characters_that_change_letters_stay(self, name):
        """Persian parts letters, Indic scripts join them, Japanese chooses a form."""
        assert USERS["name"](name) == name

    @pytest.mark.parametrize("cell", ["", " ", "\u200b", "\xa0\ufeff\t"], ids=ascii)
    def test_a_name_is_refused_when_nothing_is_to_be_seen(self, cell):
        """It would be an empty cell of every table."""
        assert refusal("name", cell) == "must not be empty; fill it in"

    @pytest.mark.parametrize("character", "\0\x1b\x1c\x1f\u202e\u2066", ids=ascii)
    def test_control_characters_are_refused(self, character):
        """Those that turn the reading direction round with them."""
        assert refusal("name", f"Ja{character}ne") == (
            f"holds the control character U+{ord(character):04X}; delete it"
        )

    def test_a_text_of_several_lines_keeps_them(self):
        """An address is no name."""
        check = SCHEMAS["organizations"].checks["address"]
        assert check("1 Main Street\r\nJuniper\u200b\rUT") == "1 Main Street\nJuniper\nUT"


class TestApostrophes:
    """An exporter put one before what a spreadsheet would run."""

    @pytest.mark.parametrize("sign", "=+-@|%＝＋－＠")
    def test_one_is_removed_before_a_sign(self, sign):
        """One, and no other."""
        assert clean(f"'{sign}x") == f"{sign}x"
        assert clean(f" ' {sign}x") == f"{sign}x"
        assert clean(f"''{sign}x") == f"''{sign}x"

    @pytest.mark.parametrize("cell", ["'t Hooft", "O'Neil", "'", "''", "x'=1", "D'=x"])
    def test_others_stay(self, cell):
        """They are the person's own."""
        assert clean(cell) == cell


class TestStatusWords:
    """The words of identity providers."""

    @pytest.mark.parametrize(
        ("words", "status"),
        [
            ("active Active ACTIVE true True TRUE enabled PROVISIONED", "active"),
            (
                "inactive false False disabled Suspended SUSPENDED DEPROVISIONED STAGED",
                "inactive",
            ),
            ("pending", "pending"),
        ],
    )
    def test_they_are_understood_in_any_case(self, words, status):
        """Entra, Google, Okta and Keycloak."""
        assert {USERS["status"](word) for word in words.split()} == {status}

    @pytest.mark.parametrize(
        "word",
        ["", "1", "yes", "LOCKED_OUT", "PASSWORD_EXPIRED", "RECOVERY", "Archived", "deleted"],
    )
    def test_any_other_word_is_refused(self, word):
        """The refusal lists those that are understood."""
        assert refusal("status", word) == (
            "must be one of active, inactive, pending (or deprovisioned, disabled, enabled, false,"
            " provisioned, staged, suspended, true)"
        )

    def test_the_status_of_an_organization_is_ours(self):
        """No identity provider writes that file."""
        with pytest.raises(CellError, match=r"^must be one of active, inactive, pending$"):
            SCHEMAS["organizations"].checks["status"]("true")
