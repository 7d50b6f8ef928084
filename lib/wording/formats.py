"""Formats of texts in Markdown, numbers with nouns, days and times."""

import re
from datetime import date

from lib.domain.clock import Moment, when

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
# Addresses become links after Markdown is parsed; a word joiner inside them prevents it.
_LINKS = re.compile(r"(?<=www)(?=\.)|(?<=:)(?=//)|(?=@)", re.IGNORECASE)
_JOINER = "\u2060"


def plain(text: str) -> str:
    """Return `text` with Markdown made inert, so that a name is shown as it is written."""
    return _MARKDOWN.sub(r"\\\1", _LINKS.sub(_JOINER, text.replace("\n", " ")))


def either(number: int, one_or_many: str) -> str:
    """Return `number` with the part of `one|many` that fits it."""
    one, many = one_or_many.split("|")
    return f"{number:,} {one if number == 1 else many}"


def day(moment: Moment | None) -> date | None:
    """Return the day of `moment` in UTC."""
    return when(moment).date() if moment is not None else None


def clock_time(moment: Moment) -> str:
    """Return `Nov 24, 2026 10:42 UTC`."""
    return when(moment).strftime("%b %-d, %Y %H:%M UTC")
