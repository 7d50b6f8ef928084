"""One way to compare names: upper or lower case and accents do not count."""

import unicodedata

LONGEST_NAME = 320  # characters, the longest e-mail address (RFC 3696, erratum 1690)
LONGEST_SEARCH = 200  # characters; no name, username or e-mail worth looking for is longer


def fold(text: str) -> str:
    """Return `text` casefolded, without accents, white space collapsed.

    LIKE folds ASCII only on SQLite and nothing on PostgreSQL, so both sides are folded here.
    """
    if text.isascii() and text.isprintable():  # most names; 20 times as fast
        return " ".join(text.lower().split())
    # Once more after casefolding: the sign ™ decomposes into capitals, and ß casefolds into two.
    decomposed = _decomposed(_decomposed(text).casefold())
    plain = (c for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(c for c in plain if c.isprintable() or c.isspace()).split())


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def same_but_for_case(one: str, other: str) -> bool:
    """Tell whether two names differ in upper and lower case at most (Unicode 3.13, D145)."""
    return one == other or _caseless(one) == _caseless(other)


def _caseless(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def like(search: str) -> str:
    r"""Return the LIKE pattern that finds `search` anywhere in a folded key (escape `\`)."""
    escaped = fold(search[:LONGEST_SEARCH])
    for wild in "\\%_":
        escaped = escaped.replace(wild, f"\\{wild}")
    return f"%{escaped}%"


def possible_name(text: str) -> str:
    """Return `text`; empty when it can be nobody's username, and no database should be asked."""
    impossible = any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
    return "" if impossible or len(text) > LONGEST_NAME else text
