"""Names are compared without case and accents."""

import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.search import LONGEST_SEARCH, fold, like, same_but_for_case


def finds(pattern: str, key: str) -> bool:
    """Tell whether a database finds `key` by the LIKE pattern."""
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(r"SELECT ? LIKE ? ESCAPE '\'", (key, pattern)).fetchone()
    connection.close()
    return bool(found)


class TestFolding:
    """Both the stored key and the search go through it."""

    @pytest.mark.parametrize(
        ("text", "folded"),
        [
            ("Ana Castillo", "ana castillo"),
            ("  Zoë   Núñez ", "zoe nunez"),
            ("O’Brien-Łuka", "o’brien-łuka"),
            ("STRAẞE Straße", "strasse strasse"),
            ("ﬁnance ＡＢＣ", "finance abc"),
            ("Ana\tCastillo\r\nJunior\u00a0III\u3000IV", "ana castillo junior iii iv"),
            ("İstanbul", "istanbul"),
            ("Ἀθηνᾶ ΣΊΣΥΦΟΣ σίσυφος", "αθηνα σισυφοσ σισυφοσ"),
            ("日本 太郎", "日本 太郎"),
            ("™", "tm"),
            ("a\0b\u202ec\u200bd", "abcd"),
            ("\ud800x", "x"),
            ("", ""),
        ],
    )
    def test_examples(self, text, folded):
        """Case, accents, width, white space and what cannot be seen do not count."""
        assert fold(text) == folded

    @given(st.text())
    def test_folding_twice_changes_nothing(self, text):
        """A folded key can be folded again."""
        assert fold(fold(text)) == fold(text)

    @given(st.text(st.characters(max_codepoint=127)))
    def test_the_short_way_for_ascii_is_the_long_way(self, text):
        """Casefolding, decomposing and dropping, done the plain way, agree."""
        visible = "".join(c for c in text.casefold() if c.isprintable() or c.isspace())
        assert fold(text) == " ".join(unicodedata.normalize("NFKD", visible).split())

    @given(st.text(st.sampled_from("aáAÁñÑ éÉ\u0301")))
    def test_composed_and_decomposed_are_one(self, text):
        """However accents were typed."""
        assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))


class TestSameButForCase:
    """Narrower than folding: accents and white space count."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("", ""),
            ("Jane Doe", "JANE dOE"),
            ("Zo\u00eb", "ZOE\u0308"),
            ("Straße", "STRASSE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ],
    )
    def test_case_does_not_count(self, one, other):
        """Nor how an accent is written."""
        assert same_but_for_case(one, other)
        assert same_but_for_case(other, one)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("Zoë", "Zoe"), ("Jane Doe", "Jane  Doe"), ("Jane", ""), ("ﬁ", "f"), ("Jane", "June")],
    )
    def test_everything_else_counts(self, one, other):
        """An accent, white space, a letter."""
        assert not same_but_for_case(one, other)
        assert not same_but_for_case(other, one)


class TestLike:
    """A search becomes a pattern in which nothing is a wildcard."""

    @given(st.text(st.characters(exclude_characters="\0"), max_size=30), st.text(max_size=5))
    def test_any_part_of_a_key_finds_it(self, text, around):
        """Wildcards, quotation marks and backslashes are plain characters."""
        key = f"{fold(around)}{fold(text)}{fold(around)}"
        assert finds(like(text), key)

    @pytest.mark.parametrize("wild", ["%", "_", "\\", "a%z", "a_c", "100%", "'; DROP TABLE token;"])
    def test_wildcards_find_only_themselves(self, wild):
        """A percent sign finds a percent sign."""
        assert finds(like(wild), f"x{wild.lower()}x")
        assert not finds(like(wild), "abcz 1000 drop table token")

    def test_a_very_long_search_is_cut(self):
        """No name is longer than 200 characters."""
        assert like("x" * 10_000) == f"%{'x' * LONGEST_SEARCH}%"

    def test_characters_that_postgresql_refuses_are_gone(self):
        """NUL and half of a pair never reach the database."""
        assert like("a\0b\ud800") == "%ab%"
