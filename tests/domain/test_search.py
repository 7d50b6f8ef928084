"""Search ignores case and accents."""

import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.search import LONGEST_SEARCH, fold, like, same_but_for_case


def finds(pattern: str, key: str) -> bool:
    """Tell whether a database would find `key` with the LIKE pattern."""
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(r"SELECT ? LIKE ? ESCAPE '\'", (key, pattern)).fetchone()
    connection.close()
    return bool(found)


class TestFolding:
    """Folding, which stored keys and searches both get."""

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
        """Folding removes case, accents, width, extra white space and invisible characters."""
        assert fold(text) == folded

    @given(st.text())
    def test_folding_twice_changes_nothing(self, text):
        """Folding a folded text changes nothing."""
        assert fold(fold(text)) == fold(text)

    @given(st.text(st.characters(max_codepoint=127)))
    def test_the_short_way_for_ascii_is_the_long_way(self, text):
        """The fast path for ASCII gives the same result as the general path."""
        visible = "".join(c for c in text.casefold() if c.isprintable() or c.isspace())
        assert fold(text) == " ".join(unicodedata.normalize("NFKD", visible).split())

    @given(st.text(st.sampled_from("aáAÁñÑ éÉ\u0301")))
    def test_composed_and_decomposed_are_one(self, text):
        """Composed and decomposed accents fold to the same text."""
        assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))


class TestSameButForCase:
    """Equality that ignores case, but not accents and white space."""

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
        """Texts that differ in case, or in the encoding of an accent, are equal."""
        assert same_but_for_case(one, other)
        assert same_but_for_case(other, one)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("Zoë", "Zoe"), ("Jane Doe", "Jane  Doe"), ("Jane", ""), ("ﬁ", "f"), ("Jane", "June")],
    )
    def test_everything_else_counts(self, one, other):
        """Texts that differ in an accent, white space or a letter are not equal."""
        assert not same_but_for_case(one, other)
        assert not same_but_for_case(other, one)


class TestLike:
    """LIKE patterns, in which no typed character is a wildcard."""

    @given(st.text(st.characters(exclude_characters="\0"), max_size=30), st.text(max_size=5))
    def test_any_part_of_a_key_finds_it(self, text, around):
        """Any part of a key finds it, also with wildcards, quotation marks and backslashes."""
        key = f"{fold(around)}{fold(text)}{fold(around)}"
        assert finds(like(text), key)

    @pytest.mark.parametrize("wild", ["%", "_", "\\", "a%z", "a_c", "100%", "'; DROP TABLE token;"])
    def test_wildcards_find_only_themselves(self, wild):
        """A typed wildcard finds only the same character."""
        assert finds(like(wild), f"x{wild.lower()}x")
        assert not finds(like(wild), "abcz 1000 drop table token")

    def test_a_very_long_search_is_cut(self):
        """Only the first 200 characters of a search are used."""
        assert like("x" * 10_000) == f"%{'x' * LONGEST_SEARCH}%"

    def test_characters_that_postgresql_refuses_are_gone(self):
        """NUL and surrogates are removed, which PostgreSQL refuses."""
        assert like("a\0b\ud800") == "%ab%"
