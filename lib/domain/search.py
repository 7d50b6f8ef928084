"""Comparison of names: the search ignores case and accents."""

import unicodedata

LONGEST_NAME = 320  # characters, the longest e-mail address (RFC 3696, erratum 1690)
LONGEST_SEARCH = 200  # characters; the rest of a longer search is ignored


def fold(text: str) -> str:
    """Return `text` casefolded, without accents, white space collapsed.

    SQL's LIKE ignores the case of ASCII letters only on SQLite, and of none on PostgreSQL. So the
    stored keys and the search are both folded here.
    """
    if text.isascii() and text.isprintable():  # true for most names, and 20 times as fast
        return " ".join(text.lower().split())
    # Decomposed twice: casefolding can make characters that decompose, and the sign ™ decomposes
    # into capitals.
    decomposed = _decomposed(_decomposed(text).casefold())
    plain = (c for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(c for c in plain if c.isprintable() or c.isspace()).split())


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def same_but_for_case(one: str, other: str) -> bool:
    """Tell whether two names are equal, ignoring case only (Unicode 3.13, D145)."""
    return one == other or caseless(one) == caseless(other)


def caseless(text: str) -> str:
    """Return the same text for all that differ in upper and lower case at most."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def ascii_lower(text: str) -> str:
    """Return `text` with the letters A to Z in lower case. Databases fold others differently."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def composed(text: str) -> str:
    """Return `text` without white space around it, its accents composed (NFC)."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def like(search: str) -> str:
    r"""Return the LIKE pattern for keys that contain `search`; the escape character is `\`."""
    escaped = fold(search[:LONGEST_SEARCH])
    for wild in "\\%_":
        escaped = escaped.replace(wild, f"\\{wild}")
    return f"%{escaped}%"


def possible_name(text: str) -> str:
    """Return `text`, or empty text when no username can be like that.

    That is text with control characters or surrogates, or of more than 320 characters. A database
    may refuse such text, so do not look it up.
    """
    impossible = any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
    return "" if impossible or len(text) > LONGEST_NAME else text
