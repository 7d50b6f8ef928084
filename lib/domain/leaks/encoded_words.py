"""Removal of the encoding of mail headers (RFC 2047): `=?utf-8?B?ZGVtb18=?=`."""

import binascii
import quopri
import re

# `line_breaks.joined` takes the last `=` for a continuation, so it is optional; the next word may
# begin with it.
_WORD = re.compile(rb"=\?[\w-]{1,40}\?([bBqQ])\?([^?]*)\?(?:=(?!\?))?")


def without_encoded_words(data: bytes) -> bytes:
    """Return `data` with each encoded word decoded; `data` itself when it has none."""
    return _WORD.sub(_decoded, data) if b"=?" in data else data


def _decoded(word: re.Match[bytes]) -> bytes:
    kind, content = word.groups()
    if kind in b"qQ":
        return quopri.decodestring(content, header=True)
    try:
        return binascii.a2b_base64(content)
    except binascii.Error:
        return word[0]
