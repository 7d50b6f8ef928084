"""Removal of what breaks a token apart: line ends, invisible characters, zero bytes, tags.

A mail client breaks long lines, a chat puts zero-width characters into long words, UTF-16 has a
zero byte beside each letter, and Word begins a new XML element in the middle of a word.
"""

import re

# U+00AD, U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F and U+FEFF, in UTF-8.
_INVISIBLE = re.compile(rb"\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xc2\xad")
# The same in UTF-16 and UTF-32, little-endian and big-endian, between letters with zero bytes.
_LOW = rb"[\x0b-\x0f\x28-\x2e\x60-\x6f]"
_INVISIBLE_WIDE = (
    re.compile(rb"(?<=\0)(?:%b\x20|\xff\xfe|\xad\0)+(?=.\0)" % _LOW, re.DOTALL),
    re.compile(rb"(?<=\0.)(?:\x20%b|\xfe\xff|\0\xad)+(?=\0)" % _LOW, re.DOTALL),
)
# More than UTF-32 has.
_ZEROS = re.compile(rb"\0{4,}")
# An indented block, and a quoted mail.
_LINE_BEGIN = b" \t>"
_LINE_END = b" \t"
# The sign of a line that goes on: in quoted-printable, and in a shell.
_SIGNS = (b"=\n", b"\\\n", b"\n>")
_SIGN = re.compile(rb"[=\\]\n")
# A sign that cannot be the beginning of an escape.
_SIGN_ALONE = re.compile(rb"=\n+(?![0-9A-Fa-f]\n*[0-9A-Fa-f]|\n)|\\\n+(?![xunrt\n])")
_ESCAPED_SIGNS = (rb"=\r\n", rb"=\n")
_ESCAPED_BREAK = re.compile(rb"(?:\\r)?\\n")
# A tag has no limit by HTML; one of more than 2,000 characters is rarely inside a word.
_TAG = re.compile(rb"<[^<>]{0,2000}>")


def joined(data: bytes) -> list[bytes]:
    """Return `data` as one line, without invisible characters and zero bytes.

    White space and signs of continuation round the line ends are removed, too. A sign may also be
    the first half of an escape that was broken: so where there is one, a second line has all that
    may be.
    """
    if b"\0" not in data:
        return _lines_joined(data)
    data = _ZEROS.sub(b"\0\0\0", data)
    either = {order.sub(b"", data).replace(b"\0", b"") for order in _INVISIBLE_WIDE}
    return [line for narrow in either for line in _lines_joined(narrow)]


def _lines_joined(data: bytes) -> list[bytes]:
    """Return `data` without line ends: once, or twice when a line ends with a sign."""
    if not data.isascii():
        data = _INVISIBLE.sub(b"", data)
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not any(sign in lines for sign in _SIGNS):
        return [_without_white_space(lines)]
    return [
        _without_white_space(_SIGN.sub(b"\n", lines)),
        _SIGN_ALONE.sub(b"", lines).replace(b"\n", b""),
    ]


def with_line_breaks(data: bytes) -> bytes:
    r"""Return `data` with the line breaks that JSON has as `\r\n`, when it is quoted-printable.

    `data` itself otherwise. They go before the other escapes, or their signs would be lost.
    """
    has_signs = any(sign in data for sign in _ESCAPED_SIGNS)
    return _ESCAPED_BREAK.sub(b"\n", data) if has_signs else data


def _without_white_space(lines: bytes) -> bytes:
    """Return `lines` as one line, without the white space and quotation marks around each."""
    return b"".join([line.lstrip(_LINE_BEGIN).rstrip(_LINE_END) for line in lines.split(b"\n")])


def without_tags(data: bytes) -> bytes:
    """Return `data` without the tags of XML and HTML; `data` itself when it has none."""
    return _TAG.sub(b"", data) if b"</" in data else data
