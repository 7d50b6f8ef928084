"""The texts in any bytes: only they can hold a token."""

import re

#: What stands between two texts: no part of a token, nor of any wrapping.
BORDER = b"\x02"
# What a token consists of in any wrapping: printable ASCII, white space, zero bytes (UTF-16), ESC,
# and the bytes of invisible characters. A token has at least 49 of them: a prefix of 2, `_` and 46.
# By chance 48 bytes are such once in 10 to the 12th.
_TEXT = re.compile(rb"[\0\t-\x0f\x1b -~\x80-\x8f\xa0-\xaf\xbb\xbf\xc2\xe2\xef\xfe\xff]{48,}")


def texts(data: bytes) -> bytes:
    """Return the texts in `data` that are long enough for a token, with borders between them.

    Letters beyond ASCII end a text, too.
    """
    return BORDER.join(_TEXT.findall(data))
