r"""A text as it reads without the escapes that programs put into it when they pass it on.

A URL writes `demo%5F`, JSON `demo\u005f`, Markdown `demo\_`, and a terminal puts colour codes round
a word that was searched for. A token is found only where each of its characters stands for itself.
"""

import re
from collections.abc import Iterator

# A line of JSON that is kept as JSON and sent in a URL has three.
_LAYERS = 4

# JSON in JSON doubles each backslash.
_BACKSLASHES = re.compile(r"\\{2,}")
# The characters of a token and those of another escape: percent, backslash, ESC, bracket and
# semicolon. What stands for others is left as it is: `%de` before `mo%5F` is no escape.
_HEX = "3[0-9Bb]|[46][1-9A-Fa-f]|7[0-9Aa]|5[0-9A-CFa-cf]|25|1[Bb]"
_ESCAPE = re.compile(rf"(?:%|\\u00|\\x)({_HEX})")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # ECMA-48, section 5.4

_DIGITS = "0123456789abcdefABCDEF"
_CHARACTERS = {f"{high}{low}": chr(int(high + low, 16)) for high in "1234567" for low in _DIGITS}


def readings(text: str) -> Iterator[str]:
    """Yield `text`, then the same with one more layer of escapes taken out, until none is left.

    Each takes time in proportion to the text, whatever is in it.
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
    parts[1::2] = map(_CHARACTERS.__getitem__, parts[1::2])  # no call of ours for each escape
    return _COLOUR.sub("", "".join(parts).replace(r"\_", "_"))
