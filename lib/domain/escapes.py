r"""Removal of the escapes that programs add to a text, so that tokens in it can be found.

A URL has `demo%5F` for `demo_`, JSON has `demo\u005f`, Markdown has `demo\_`, and a terminal puts
colour codes around a search result.
"""

import re
from collections.abc import Iterator

# JSON inside of JSON inside of a URL has three layers.
_LAYERS = 4

# JSON in JSON doubles each backslash.
_BACKSLASHES = re.compile(r"\\{2,}")
# The codes of a token's characters, and of the characters that escapes consist of: percent,
# backslash, ESC, bracket and semicolon. Other codes are left alone: in `%demo%5F` the `%de` is no
# escape.
_HEX = "3[0-9Bb]|[46][1-9A-Fa-f]|7[0-9Aa]|5[0-9A-CFa-cf]|25|1[Bb]"
_ESCAPE = re.compile(rf"(?:%|\\u00|\\x)({_HEX})")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # ECMA-48, section 5.4

_DIGITS = "0123456789abcdefABCDEF"
_CHARACTERS = {f"{high}{low}": chr(int(high + low, 16)) for high in "1234567" for low in _DIGITS}


def unescaped_versions(text: str) -> Iterator[str]:
    """Yield `text`, then `text` without its outer escapes, and so on, until none is left.

    At most four layers are removed. Each takes time in proportion to the length of `text`.
    """
    yield text
    for _ in range(_LAYERS):
        plain = _without_escapes(text)
        if plain == text:
            return
        yield plain
        text = plain


def _without_escapes(text: str) -> str:
    parts = _ESCAPE.split(_BACKSLASHES.sub(r"\\", text))
    parts[1::2] = map(
        _CHARACTERS.__getitem__, parts[1::2]
    )  # at C speed: no Python call for each escape
    return _COLOUR.sub("", "".join(parts).replace(r"\_", "_"))
