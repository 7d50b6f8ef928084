"""The format of tokens: how they are made, recognized and hashed.

A token is `<prefix>_`, then 40 random characters of base62 (238 bits), then 6 characters with the
CRC-32 of everything before them. So a scanner recognizes a token without asking the database.
"""

import hashlib
import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from zlib import crc32

from lib.domain.escapes import unescaped_versions

RANDOM_LENGTH = 40
CHECK_LENGTH = 6
HINT_LENGTH = 4

_PART = 20  # random characters of a cut token that count as a token: half of them

_PIECE = 1_000_000  # characters
_LONGEST_ESCAPED = 10_000  # characters: 200 for each character of a token

_ALPHABET = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
# Each of the 62 characters has four bytes below 248. The other eight bytes are dropped, so that
# every character is equally likely. One call converts a whole batch at C speed.
_TABLE = bytes(_ALPHABET[b % 62] for b in range(256))
_BIASED = bytes(range(248, 256))
# What files, spreadsheets and clients add around a token: spaces, line ends, no-break spaces, and
# the byte order mark at the start of a file.
_WHITE_SPACE = string.whitespace + "\x85\xa0\u2028\u2029\ufeff"
_PAIRS = [chr(a) + chr(b) for a in _ALPHABET for b in _ALPHABET]


@dataclass(frozen=True, slots=True)
class Minting:
    """What is needed to make tokens: the prefix, and the numbered keys of digests (peppers).

    New digests use the pepper with the highest number. `repr` shows the prefix only.
    """

    prefix: str
    peppers: Mapping[int, bytes] = field(repr=False)

    @property
    def pepper_number(self) -> int:
        """Return the number of the pepper that new digests use."""
        return max(self.peppers)

    def digests(self, tokens: Iterable[str]) -> list[bytes]:
        """Return the digest of each token under the newest pepper, 32 bytes each."""
        return digests(tokens, self.peppers[self.pepper_number])


def mint(count: int, prefix: str) -> list[str]:
    """Return `count` new tokens in clear. The list is the only place where they exist."""
    chars = _random_characters(count * RANDOM_LENGTH)
    bodies = (
        f"{prefix}_{chars[at : at + RANDOM_LENGTH]}"
        for at in range(0, count * RANDOM_LENGTH, RANDOM_LENGTH)
    )
    return [body + _check(body) for body in bodies]


def random_name() -> str:
    """Return eight random lower-case letters and digits, for a name. It is not a secret."""
    return _random_characters(8).lower()


def text_of(content: bytes) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32.

    Only ASCII characters are sure to be right, which is enough to find tokens.
    """
    return content.replace(b"\0", b"").decode("utf-8", errors="replace")


def tokens_in(text: str, prefix: str) -> list[str]:
    """Return the well-formed tokens in `text`, each once, whatever surrounds them.

    Tokens are also found with the escapes that `escapes.unescaped_versions` removes, and where
    something that looks like a token overlaps them. The checksum excludes the look-alikes.
    """
    # Only the prefix is consumed, so the next candidate may begin inside this one.
    candidate = re.compile(rf"{prefix}_(?=([0-9A-Za-z]{{{RANDOM_LENGTH + CHECK_LENGTH}}}))")
    found: dict[str, None] = {}
    for piece in _pieces(text):
        rests = dict.fromkeys(
            rest for plain in unescaped_versions(piece) for rest in candidate.findall(plain)
        )
        candidates = (f"{prefix}_{rest}" for rest in rests)
        found |= dict.fromkeys(token for token in candidates if is_well_formed(token, prefix))
    return list(found)


def holds_token(text: str, prefix: str) -> bool:
    """Tell whether `text` has a token in it, or at least half of one: a cut or misspelt token."""
    part = re.compile(rf"{prefix}_[0-9A-Za-z]{{{_PART}}}")
    return part.search(text) is not None or bool(tokens_in(text, prefix))


def _pieces(text: str) -> Iterator[str]:
    """Yield `text` in pieces that overlap by more than the length of any escaped token.

    Escapes are removed piece by piece: for 100 MB at once it took 3 GB of memory.
    """
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE + _LONGEST_ESCAPED]


def trim(token: str) -> str:
    """Return `token` without the white space around it."""
    return token.strip(_WHITE_SPACE)


def is_well_formed(token: str, prefix: str) -> bool:
    """Tell whether `token` has our prefix, the right length and the right checksum."""
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
    """Return the part of a token that may be shown: the prefix and four random characters."""
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
