"""Moments in time: whole milliseconds since 1970 in UTC, the same number in every database."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Moment: TypeAlias = int
Clock: TypeAlias = Callable[[], Moment]

SECOND: Moment = 1_000
MINUTE: Moment = 60 * SECOND
HOUR: Moment = 60 * MINUTE
DAY: Moment = 24 * HOUR


def now() -> Moment:
    """Return the present moment."""
    return time.time_ns() // 1_000_000


def minute_of(moment: Moment) -> Moment:
    """Return the first millisecond of the minute that contains `moment`."""
    return moment - moment % MINUTE


def when(moment: Moment) -> datetime:
    """Return `moment` as an aware datetime in UTC."""
    return datetime.fromtimestamp(moment / SECOND, UTC)


def iso(moment: Moment) -> str:
    """Return `moment` as `2026-11-23T22:21:00Z` (RFC 3339, whole seconds)."""
    return when(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def compact(moment: Moment) -> str:
    """Return `moment` as `20261123T222100Z`, for file names."""
    return when(moment).strftime("%Y%m%dT%H%M%SZ")
