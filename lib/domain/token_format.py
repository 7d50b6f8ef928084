"""How a token is made, checked and remembered.

A token is `<prefix>_`, 40 random characters of base62 (238 bits), and 6 characters that carry the
CRC-32 of all before them, so that a scanner knows a token without asking the database.
"""

import hashlib
import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from zlib import crc32

from lib.domain.escapes import readings

RANDOM_LENGTH = 40
CHECK_LENGTH = 6
HINT_LENGTH = 4

_PIECE = 1_000_000  # characters
_LONGEST_FORM = 10_000  # characters, 200 for each of a token's

_ALPHABET = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
# A byte below 248 stands for one of 62 characters, four bytes each; the other eight are thrown
# away, so that every character is equally likely. One call does a whole batch at C speed.
_TABLE = bytes(_ALPHABET[b % 62] for b in range(256))
_BIASED = bytes(range(248, 256))
# What a file, a spreadsheet or a client leaves round a token: spaces, line ends, a no-break space,
# and the byte order mark with which a file may begin.
_WHITE_SPACE = string.whitespace + "\x85\xa0\u2028\u2029\ufeff"
_PAIRS = [chr(a) + chr(b) for a in _ALPHABET for b in _ALPHABET]


@dataclass(frozen=True, slots=True)
class Minting:
    """What making tokens takes: the prefix, and the numbered keys for digests (peppers).

    The highest number is used for new digests. Nothing of it is shown by repr.
    """

    prefix: str
    peppers: Mapping[int, bytes] = field(repr=False)

    @property
    def pepper_number(self) -> int:
        """Return the number of the pepper for new digests."""
        return max(self.peppers)

    def digests(self, tokens: Iterable[str]) -> list[bytes]:
        """Return the digest of each token under the current pepper."""
        return digests(tokens, self.peppers[self.pepper_number])


def mint(count: int, prefix: str) -> list[str]:
    """Return `count` new tokens. The list is the only place where they exist in clear."""
    chars = _random_characters(count * RANDOM_LENGTH)
    bodies = (
        f"{prefix}_{chars[at : at + RANDOM_LENGTH]}"
        for at in range(0, count * RANDOM_LENGTH, RANDOM_LENGTH)
    )
    return [body + _check(body) for body in bodies]


def random_name() -> str:
    """Return eight random characters that tell two things of one kind apart; no secret."""
    return _random_characters(8).lower()


def text_of(content: bytes) -> str:
    """Return a file's text as far as tokens go, which are ASCII, be it in UTF-8, 16 or 32."""
    return content.replace(b"\0", b"").decode("utf-8", errors="replace")


def tokens_in(text: str, prefix: str) -> list[str]:
    """Return the tokens of ours in any text, each once, whatever stands directly before or after.

    A token is found behind the escapes that `escapes.readings` takes out, and where another one
    seems to begin or end inside it. What only looks like one has another checksum.
    """
    # Only the prefix is consumed, so the next candidate may begin inside this one.
    looks = re.compile(rf"{prefix}_(?=([0-9A-Za-z]{{{RANDOM_LENGTH + CHECK_LENGTH}}}))")
    found: dict[str, None] = {}
    for piece in _pieces(text):
        rests = dict.fromkeys(rest for form in readings(piece) for rest in looks.findall(form))
        candidates = (f"{prefix}_{rest}" for rest in rests)
        found |= dict.fromkeys(token for token in candidates if is_well_formed(token, prefix))
    return list(found)


def _pieces(text: str) -> Iterator[str]:
    """Yield `text` in pieces that overlap by more than a token takes in any form.

    Escapes are taken out of one piece at a time: those of 100 MB at once took 3 GB of memory.
    """
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE + _LONGEST_FORM]


def trim(token: str) -> str:
    """Return a token without the white space round it."""
    return token.strip(_WHITE_SPACE)


def is_well_formed(token: str, prefix: str) -> bool:
    """Tell whether `token` has the prefix, the length and the checksum of one of ours."""
    body, check = token[:-CHECK_LENGTH], token[-CHECK_LENGTH:]
    random_part = body.removeprefix(f"{prefix}_")
    return (
        len(random_part) == RANDOM_LENGTH
        and random_part != body
        and random_part.isascii()
        and random_part.isalnum()
        and _check(body) == check
    )


def hint(token: str) -> str:
    """Return what may be shown of a token: its prefix and the first four random characters."""
    return token[: len(token) - RANDOM_LENGTH - CHECK_LENGTH + HINT_LENGTH]


def digests(tokens: Iterable[str], pepper: bytes) -> list[bytes]:
    """Return the keyed BLAKE2b-256 digest (RFC 7693) of each token, 32 bytes each."""
    blake2b = hashlib.blake2b
    return [blake2b(t.encode(), digest_size=32, key=pepper).digest() for t in tokens]


def _random_characters(count: int) -> str:
    chars = b""
    while len(chars) < count:
        missing = count - len(chars)
        chars += os.urandom(missing + missing // 24 + 64).translate(_TABLE, _BIASED)
    return chars[:count].decode()


def _check(body: str) -> str:
    rest, low = divmod(crc32(body.encode()), 62 * 62)
    high, middle = divmod(rest, 62 * 62)
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]
