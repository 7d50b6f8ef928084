"""Tokens: their format, their randomness, their hints and their digests."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.token_format import (
    Minting,
    digests,
    hint,
    is_well_formed,
    mint,
    trim,
)
from tests.support.made_tokens import ALPHABET, TOKENS, with_check

PREFIXES = st.from_regex(r"[a-z][a-z0-9]{1,11}", fullmatch=True)
PEPPER = b"p" * 32
WHITE_SPACE = " \n\r\t\v\f\u00a0\u2028\ufeff"


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
