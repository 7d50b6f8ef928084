"""Tokens: their format, their randomness, their hints and their digests."""

import hashlib
import string
from collections import Counter
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.token_format import (
    Minting,
    digests,
    hint,
    holds_token,
    is_well_formed,
    mint,
    text_of,
    tokens_in,
    trim,
)
from tests.support.leak_forms import ENCODED, FORMS

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIXES = st.from_regex(r"[a-z][a-z0-9]{1,11}", fullmatch=True)
PEPPER = b"p" * 32
WHITE_SPACE = " \n\r\t\v\f\u00a0\u2028\ufeff"


def base62(number: int) -> str:
    """Return `number` as six digits of base62, computed digit by digit."""
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits


def with_check(body: str) -> str:
    """Return `body` with its checksum."""
    return body + base62(crc32(body.encode()))


# Made by Hypothesis, not by `mint`, whose dice it could not throw again.
TOKENS = st.text(ALPHABET, min_size=40, max_size=40).map(lambda part: with_check(f"demo_{part}"))
TOKEN_LENGTH = 51


class TestForm:
    """The format: `<prefix>_`, 40 random characters, 6 characters of checksum."""

    def test_the_parts(self):
        """A token has the prefix, the random part and the checksum, and nothing else."""
        for token in mint(200, "demo"):
            prefix, _, rest = token.partition("_")
            assert prefix == "demo"
            assert len(rest) == 46
            assert set(rest) <= set(ALPHABET)

    def test_the_checksum(self):
        """The last six characters are the CRC-32 of all before them, in base62."""
        for token in mint(200, "demo"):
            assert token == with_check(token[:-6])

    @given(PREFIXES, st.integers(0, 5))
    def test_as_many_as_asked_for_are_well_formed(self, prefix, count):
        """Every new token is well-formed under its own prefix, and under no other."""
        tokens = mint(count, prefix)
        assert len(tokens) == count
        assert all(is_well_formed(token, prefix) for token in tokens)
        assert not any(is_well_formed(token, f"{prefix}x") for token in tokens)

    @given(TOKENS, st.integers(0, TOKEN_LENGTH - 1), st.sampled_from(f"{ALPHABET}_-. é\0"))
    def test_one_wrong_character_is_found(self, token, at, other):
        """One wrong character makes a token ill-formed: CRC-32 detects it."""
        changed = token[:at] + other + token[at + 1 :]
        assert is_well_formed(changed, "demo") == (changed == token)

    @given(TOKENS, st.integers(0, TOKEN_LENGTH - 2))
    def test_two_neighbours_that_changed_places_are_found(self, token, at):
        """Two swapped neighbours make a token ill-formed: a usual error of typing."""
        swapped = token[:at] + token[at + 1] + token[at] + token[at + 2 :]
        assert is_well_formed(swapped, "demo") == (swapped == token)

    @given(st.text())
    def test_text_that_is_no_token(self, text):
        """Any other text is ill-formed, and raises no error."""
        assert not is_well_formed(text, "demo")

    @pytest.mark.parametrize("cut", [-1, 1])
    def test_a_token_cut_short(self, cut):
        """A token without its first or last character is ill-formed."""
        (token,) = mint(1, "demo")
        assert not is_well_formed(token[:cut] if cut < 0 else token[cut:], "demo")


class TestSearch:
    """Search of tokens in any text."""

    @pytest.mark.parametrize("form", FORMS)
    def test_a_token_is_found_once_in_each_form(self, form):
        """A token is found once in each of the known forms of a leak."""
        (token,) = mint(1, "demo")
        assert tokens_in(FORMS[form](token), "demo") == [token]

    @given(TOKENS, st.sampled_from(sorted(FORMS)), st.text(), st.text())
    def test_a_token_is_found_in_the_midst_of_any_text(self, token, form, before, after):
        """A token is found inside of text with escapes and with parts of tokens."""
        assert token in tokens_in(f"{before}{FORMS[form](token)}{after}", "demo")

    @given(TOKENS, st.text("demo_%25\\u064x[m\x1b", max_size=60), st.booleans())
    def test_a_token_is_found_behind_broken_escapes(self, token, debris, twice):
        """Cut or invalid escapes do not hide a token."""
        assert token in tokens_in(f"{debris}{token}{debris * twice}", "demo")

    @given(
        st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=6),
        st.lists(TOKENS, min_size=6, max_size=6, unique=True),
    )
    def test_every_token_is_found_when_several_forms_are_glued(self, forms, tokens):
        """Tokens in several forms, without anything between them, are all found."""
        leaked = tokens[: len(forms)]
        text = "".join(FORMS[form](token) for form, token in zip(forms, leaked, strict=True))
        assert set(leaked) <= set(tokens_in(text, "demo"))

    def test_a_token_in_all_forms_counts_once(self):
        """Two tokens, each in all forms, are found as two tokens."""
        tokens = mint(2, "demo")
        text = "\n".join(form(token) for token in tokens for form in FORMS.values())
        assert sorted(tokens_in(text, "demo")) == sorted(tokens)

    @pytest.mark.parametrize("prefix", ["aa", "a1a1a1", "5f", "25", "u0064x41"])
    def test_a_token_of_any_prefix_is_found(self, prefix):
        """A prefix may repeat itself, or look like a part of an escape."""
        (token,) = mint(1, prefix)
        for text in (token, prefix + token, f"%{token}", f"%25{token}", f"\\{token}", token * 2):
            assert tokens_in(text, prefix) == [token]

    @pytest.mark.parametrize("form", ["white space", *ENCODED])
    def test_a_token_is_found_across_the_pieces_of_a_long_text(self, form):
        """A token is found wherever the border between two pieces falls."""
        (token,) = mint(1, "demo")
        leaked = FORMS[form](token)
        for at in range(1_000_000 - len(leaked) - 1, 1_000_002, max(1, len(leaked) // 4)):
            assert tokens_in(f"{'.' * at}{leaked}...", "demo") == [token]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    @pytest.mark.parametrize("form", FORMS)
    def test_a_token_is_found_in_a_file_of_any_encoding(self, form, encoding):
        """A token is found in UTF-8, and in UTF-16 as spreadsheets and PowerShell write it."""
        (token,) = mint(1, "demo")
        assert tokens_in(text_of(FORMS[form](token).encode(encoding)), "demo") == [token]

    def test_chance_hits_are_none(self):
        """20,000 candidates with a wrong checksum are not found."""
        assert tokens_in(candidates(20_000), "demo") == []

    @pytest.mark.soak
    def test_two_million_chance_hits_are_none(self):
        """Of two million candidates none has the right checksum: by chance 1 in 57 billion has."""
        text = candidates(2_000_000)
        assert text.count("demo_") == 2_000_000
        assert tokens_in(text, "demo") == []

    @given(st.text())
    def test_any_text_is_searched_without_an_error(self, text):
        """Searching any text raises no error, and finds only well-formed tokens."""
        assert all(is_well_formed(token, "demo") for token in tokens_in(text, "demo"))


def candidates(count: int) -> str:
    """Return `count` candidates with a random checksum; the same at every run."""
    alphabet = bytes(ALPHABET.encode()[byte % 62] for byte in range(256))
    rest = hashlib.shake_256(b"candidates").digest(46 * count).translate(alphabet).decode()
    return "".join(f"demo_{rest[at : at + 46]}\n" for at in range(0, len(rest), 46))


class TestRandomness:
    """Every character of the alphabet is equally likely."""

    def test_no_token_twice(self):
        """100,000 new tokens are all different."""
        assert len(set(mint(100_000, "demo"))) == 100_000

    def test_no_character_is_preferred(self):
        """Chi-squared over 2,000,000 characters of 62 kinds.

        61 degrees of freedom: a fair source passes 150 once in a billion runs. One that takes
        bytes modulo 62 prefers eight characters by a quarter, and comes to about 12,900.
        """
        counts = Counter("".join(token[5:45] for token in mint(50_000, "demo")))
        assert chi_squared(counts) < 150
        biased = Counter(ALPHABET[byte % 62] for byte in range(256))
        scale = 2_000_000 / 256
        assert chi_squared(Counter({c: n * scale for c, n in biased.items()})) > 10_000

    def test_no_place_is_preferred(self):
        """The first and the last random character are evenly distributed, too."""
        tokens = mint(50_000, "demo")
        for place in (5, 44):
            assert chi_squared(Counter(token[place] for token in tokens)) < 150


def chi_squared(counts: Counter) -> float:
    """Return the chi-squared value of `counts` against an even distribution."""
    even = sum(counts.values()) / len(ALPHABET)
    return sum((counts[c] - even) ** 2 / even for c in ALPHABET)


class TestTrim:
    """Removal of white space around a token."""

    @given(st.text(WHITE_SPACE), TOKENS, st.text(WHITE_SPACE))
    def test_white_space_is_cut_on_both_sides_and_nowhere_else(self, before, token, after):
        """White space in the middle stays, so the text is no token."""
        assert trim(f"{before}{token}{after}") == token
        broken = f"{token[:9]}{before}{after}{token[9:]}"
        assert trim(broken) == broken


class TestMemory:
    """What is stored of a token: a hint and a keyed digest."""

    def test_the_hint(self):
        """The hint is the prefix and the first four random characters."""
        (token,) = mint(1, "demo")
        assert hint(token) == token[:9]
        assert len(hint(token)) == len("demo_") + 4

    def test_the_digest_is_keyed_blake2b(self):
        """The digest has 32 bytes (RFC 7693), with the pepper as its key."""
        tokens = mint(3, "demo")
        assert digests(tokens, PEPPER) == [
            hashlib.blake2b(t.encode(), key=PEPPER, digest_size=32).digest() for t in tokens
        ]
        assert digests(tokens, b"q" * 32) != digests(tokens, PEPPER)

    def test_the_highest_pepper_is_used(self):
        """New digests use the pepper with the highest number."""
        minting = Minting("demo", {1: b"a" * 32, 3: b"c" * 32, 2: b"b" * 32})
        assert minting.pepper_number == 3
        assert minting.digests(["x"]) == digests(["x"], b"c" * 32)

    def test_peppers_are_not_shown(self):
        """`repr` shows the prefix only."""
        assert repr(Minting("demo", {1: PEPPER})) == "Minting(prefix='demo')"


class TestHoldsToken:
    """What no search field may keep."""

    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
    def test_token_in_any_form_is_held(self, form):
        """As in Recall."""
        (token,) = mint(1, "demo")
        assert holds_token(form(token), "demo")

    def test_half_a_token_and_a_misspelt_one_are_held(self):
        """A field or a screen may have cut it."""
        (token,) = mint(1, "demo")
        for part in (token[:25], token[:-1], token[:-1] + "_", f"x{token[:30]} y"):
            assert holds_token(part, "demo"), part

    @pytest.mark.parametrize("text", ["", "demo_adoY", "demo_adoY…", "demo_johnson", "adoyle"])
    def test_names_and_hints_are_no_tokens(self, text):
        """They are searched."""
        assert not holds_token(text, "demo")
