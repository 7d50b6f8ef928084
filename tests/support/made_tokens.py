"""Well-formed tokens made without `mint`, for Hypothesis, and look-alikes."""

import hashlib
import string
from zlib import crc32

from hypothesis import strategies as st

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


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


def candidates(count: int) -> str:
    """Return `count` candidates with a random checksum; the same at every run."""
    alphabet = bytes(ALPHABET.encode()[byte % 62] for byte in range(256))
    rest = hashlib.shake_256(b"candidates").digest(46 * count).translate(alphabet).decode()
    return "".join(f"demo_{rest[at : at + 46]}\n" for at in range(0, len(rest), 46))


# Made by Hypothesis, not by `mint`, whose dice it could not throw again.
TOKENS = st.text(ALPHABET, min_size=40, max_size=40).map(lambda part: with_check(f"demo_{part}"))
