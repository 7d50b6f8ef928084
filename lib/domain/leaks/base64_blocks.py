"""Base64 (RFC 4648) in a text: what its blocks hold, at any offset and in both alphabets."""

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from lib.domain.leaks.texts import BORDER, texts

# A token has at least 49 bytes: a prefix of 2, `_` and 46. In base64 these are 66 characters.
_SHORTEST = 64
#: A block of beginnings alone would be decoded as often as it has some.
MOST_CONTAINERS = 8
_BLOCK = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % _SHORTEST)
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# The first bytes of archives and documents (see `containers`) in base64.
_CONTAINER = re.compile(
    rb"UEsDB[A-P]|H4sI[A-H]|N3q8ryc|UmFyIRo|JVBERi0|0M8R4KGxGu|/Td6WFo|KLUv/[Q-T]|QlpoO"
)
# `ustar` as the bytes 257 to 261 of a tar archive, in base64; and at which character that is.
_TAR_MAGIC, _TAR_MAGIC_AT = b"1c3Rhc", 343
_ESCAPE = re.compile(rb"\\+[nrtux]|%[0-9A-Fa-f]{2}|&#")
# The first 10 bytes of gzip (RFC 1952) are told from chance by the speed and system that they name.
_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP = re.compile(_GZIP_MAGIC + rb"[\0-\x1f].{4}[\0\2\4][\0-\x0d\xff]", re.DOTALL)


class Block(NamedTuple):
    """Characters of base64 in a row, in the standard alphabet; `at_end` of their text.

    `goes_on` when an escape follows, behind which there may be more of it.
    """

    characters: bytes
    at_end: bool
    goes_on: bool


def blocks(data: bytes) -> list[Block]:
    """Return the blocks in `data` that are long enough for a token."""
    return [
        Block(
            block[0].translate(_TO_STANDARD),
            at_end=data[block.end() : block.end() + 1] in {b"", BORDER},
            goes_on=_ESCAPE.match(data, block.end()) is not None,
        )
        for block in _BLOCK.finditer(data)
    ]


def contents(block: Block) -> Iterator[bytes]:
    """Yield the texts that `block` holds at each of the four offsets.

    The characters may begin anywhere in what was encoded, so three of the four mean nothing.
    """
    for offset in range(4):
        if text := texts(_decoded(block, offset)):
            yield text


def containers(block: Block) -> list[bytes]:
    """Return the containers that begin in `block`, wherever in it; no more than MOST_CONTAINERS.

    One that ends in the midst of `block` has what follows it at its end. A block that goes on has
    none: it is whole when the escapes are removed.
    """
    if block.goes_on:
        return []
    starts = [match.start() for match in _CONTAINER.finditer(block.characters)][:MOST_CONTAINERS]
    tar = block.characters.find(_TAR_MAGIC) - _TAR_MAGIC_AT
    found = [_decoded(block, start) for start in [*starts, tar] if start >= 0]
    return [each for each in found if not each.startswith(_GZIP_MAGIC) or _GZIP.match(each)]


def _decoded(block: Block, offset: int) -> bytes:
    """Return what `block` holds from `offset` on. Its padding may be missing."""
    usable = block.characters[offset:]
    if len(usable) % 4 == 1:  # six bits are no byte
        usable = usable[:-1]
    return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))
