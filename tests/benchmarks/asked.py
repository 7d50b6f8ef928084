"""What a benchmark is asked for on its command line: kinds of database, and numbers."""

import sys
from collections.abc import Iterable


def asked_for(*otherwise: int) -> tuple[list[str], Iterable[int]]:
    """Return the kinds and the numbers that are named; for want of them all, and `otherwise`."""
    words = sys.argv[1:]
    kinds = [word for word in words if not word.isdigit()] or ["sqlite", "postgresql"]
    return kinds, [int(word) for word in words if word.isdigit()] or otherwise
