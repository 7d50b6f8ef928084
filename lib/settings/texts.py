"""Values as panels, files and copied text give them: what is cut, and what is refused."""

import re
import unicodedata
from pathlib import Path

_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, line, paragraph
_JOINERS = {"\u200c", "\u200d"}  # invisible as well, and needed to spell words in some scripts
_PREFIX = re.compile("[a-z][a-z0-9]{1,11}")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"


def trimmed(value: str) -> str:
    """Return `value` without white space and invisible characters at both ends.

    Files, web forms and copied text add these: a line end, a carriage return, a byte order mark.
    """
    edges = _JOINERS.union(char for char in value if char.isspace() or _is_invisible(char))
    return value.strip("".join(edges))


def readable(value: str) -> str:
    """Return `value`. Raises ValueError for quotation marks around it or an invisible character.

    A shell removes quotation marks; `docker --env-file` and most panels keep them.
    """
    if len(value) > 1 and value[0] in _QUOTES and value[-1] in _QUOTES:
        msg = "must not have quotation marks around it: remove them"
        raise ValueError(msg)
    for place, char in enumerate(value, 1):
        if _is_invisible(char):
            msg = (
                "must not have a control or invisible character inside: "
                f"character {place} is U+{ord(char):04X}"
            )
            raise ValueError(msg)
    return value


def split(text: str) -> tuple[str, ...]:
    """Return the parts of `text` between commas, without empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def safe_folder(value: Path) -> Path:
    """Return `value`. Raises ValueError if it needs a shell to be a path."""
    if str(value).startswith("~"):
        msg = "must not begin with ~, which only a shell replaces: write the whole path"
        raise ValueError(msg)
    return value


def safe_prefix(value: str) -> str:
    """Return `value`, the prefix of tokens. Raises ValueError."""
    if not _PREFIX.fullmatch(value):
        msg = "must be 2 to 12 lower-case letters or digits, a letter first"
        raise ValueError(msg)
    return value


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE and char not in _JOINERS
