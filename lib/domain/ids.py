"""Identifiers: new ids, and the pattern of a service's id.

New ids are UUIDs of version 7 (RFC 9562), written as 32 hexadecimal digits.
"""

import secrets

from lib.domain.clock import Moment

SERVICE_ID = "[a-z0-9-]{1,32}"  # a regular expression; the ids come from the imported files

ID_LENGTH = 32  # characters of a new id

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_SPREAD = 61  # random bits of the first id, of 62; the spare bit leaves room to count up


def new_ids(count: int, now: Moment) -> list[str]:
    """Return `count` ascending ids for the moment `now`, so that an index grows at its end.

    All ids share 12 random bits, and count up from 61 more (RFC 9562, section 6.2, method 1).
    """
    first = secrets.randbits(_SPREAD)
    base = now << 80 | _VERSION | secrets.randbits(12) << 64 | _VARIANT
    return [f"{base | first + n:032x}" for n in range(count)]


def first_id(now: Moment) -> str:
    """Return the prefix of all ids of the moment `now`, to compare ids with.

    It sorts before these ids, and after all earlier ones.
    """
    return f"{now:012x}"


def new_id(now: Moment) -> str:
    """Return one id for the moment `now`."""
    return new_ids(1, now)[0]
