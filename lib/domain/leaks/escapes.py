r"""Removal of the escapes that programs add to a text, so that tokens in it can be found.

A URL has `demo%5F` for `demo_`, quoted-printable `demo=5F`, JSON `demo\u005f`, HTML `demo&#95;`,
Markdown `demo\_`, and a terminal puts colour codes around a search result.
"""

import re

# JSON in JSON doubles each backslash. An odd number ends with the one of an escape.
_BACKSLASHES = re.compile(rb"(?:\\\\)+(\\?)")
_COLOUR = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")  # ECMA-48, section 5.4

# Percent-encoding (RFC 3986), quoted-printable (RFC 2045), and a byte in Python or JavaScript.
_BYTE = r"(?:[%=]|\\x)"
_HEX = "[0-9A-Fa-f]"
# Of the codes above 7F only invisible characters are escapes, in UTF-8 and as code points: in
# `%demo%5F` the `%de` is none. All alternatives together match less than 20,000 different escapes.
# Quoted-printable has capitals, or `next=1` before `demo` would be an escape.
# The first character stands alone: so `re` looks for it at the speed of C.
_ESCAPE = re.compile(
    rf"""([%=\\&](?:
      (?<=%)[0-7]{_HEX}
    | (?<==)[0-7][0-9A-F]
    | (?<=\\)(?: x[0-7]{_HEX} | u(?:00|20){_HEX}{{2}} | u[Ff][Ee][Ff][Ff] | [nrt] )
    | (?<=&)\#(?: [0-9]{{2,4}} | 65279 | [xX](?:00|20)?{_HEX}{{2}} | [xX][Ff][Ee][Ff][Ff] );
    | (?: (?<=[%=]) | (?<=\\)x )(?:
        [Ee]2 {_BYTE}8[01] {_BYTE}[89AaBb]{_HEX}
      | [Cc]2 {_BYTE}[Aa][Dd]
      | [Ee][Ff] {_BYTE}[Bb][Bb] {_BYTE}[Bb][Ff]
      )
    ))""".encode(),
    re.VERBOSE,
)
_CONTROLS = {rb"\n": b"\n", rb"\r": b"\r", rb"\t": b"\t"}
_INTRODUCERS = re.compile(rb"[%=\\\x1b]|&#")


class _Meanings(dict[bytes, bytes]):
    """What each escape stands for, in UTF-8. An escape is worked out when it is first met."""

    def __missing__(self, escape: bytes) -> bytes:
        self[escape] = meaning = _meaning(escape)
        return meaning


def without_escapes(data: bytes) -> bytes:
    """Return `data` with one layer of escapes removed; `data` itself when it has none."""
    if not _INTRODUCERS.search(data):
        return data
    single = _BACKSLASHES.sub(rb"\\\1", data) if b"\\\\" in data else data
    parts = _ESCAPE.split(single)
    # At C speed: no Python call for each escape.
    parts[1::2] = map(_MEANINGS.__getitem__, parts[1::2])
    plain = b"".join(parts) if len(parts) > 1 else single
    plain = plain.replace(rb"\_", b"_")
    return _COLOUR.sub(b"", plain) if b"\x1b[" in plain else plain


def _meaning(escape: bytes) -> bytes:
    """Return what one match of `_ESCAPE` stands for, in UTF-8."""
    if escape in _CONTROLS:
        return _CONTROLS[escape]
    text = escape.decode()
    if text.startswith("&#"):
        digits = text[2:-1]
        return chr(int(digits[1:], 16) if digits[0] in "xX" else int(digits)).encode()
    if text.startswith("\\u"):
        return chr(int(text.removeprefix("\\u"), 16)).encode()
    return bytes.fromhex(re.sub(_BYTE, "", text))


_MEANINGS = _Meanings()
