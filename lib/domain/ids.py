"""Identifiers: those made by the application, and the pattern of a service's.

The application makes UUIDs of version 7 (RFC 9562) as 32 hexadecimal digits.
"""

import secrets

from lib.domain.clock import Moment

SERVICE_ID = "[a-z0-9-]{1,32}"  # a pattern; the directory's files give services their ids

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_SPREAD = 61  # random bits of the first id; one bit is left for counting up


def new_ids(count: int, now: Moment) -> list[str]:
    """Return `count` ids made at `now`, ascending, so that an index grows at its end.

    The batch shares 12 random bits and counts up from 61 more (RFC 9562, section 6.2, method 1).
    """
    first = secrets.randbits(_SPREAD)
    base = now << 80 | _VERSION | secrets.randbits(12) << 64 | _VARIANT
    return [f"{base | first + n:032x}" for n in range(count)]


def first_id(now: Moment) -> str:
    """Return how ids begin that are made at `now`: it sorts before them, and after all earlier."""
    return f"{now:012x}"


def new_id(now: Moment) -> str:
    """Return one id made at `now`."""
    return new_ids(1, now)[0]
