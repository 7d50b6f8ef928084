"""Formats: inert Markdown, numbers with their words, days and times in UTC."""

import re
from datetime import date

from lib.domain.clock import Moment, when

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
# Streamlit turns addresses into links after it parses Markdown; a word joiner inside prevents it.
_LINKS = re.compile(r"(?<=www)(?=\.)|(?<=:)(?=//)|(?=@)", re.IGNORECASE)
_JOINER = "\u2060"


def plain(text: str) -> str:
    """Return `text` with all Markdown escaped, so that a page shows a name as it is written."""
    return _MARKDOWN.sub(r"\\\1", _LINKS.sub(_JOINER, text.replace("\n", " ")))


def either(number: int, text: str) -> str:
    """Return `number` with the fitting half of `one|many`: `1 token`, `2 tokens`."""
    return f"{number:,} {one_or_many(number, text)}"


def one_or_many(number: int, text: str) -> str:
    """Return the half of `one|many` that fits `number`; a text without `|` fits every number."""
    one, _, many = text.partition("|")
    return one if number == 1 or not many else many


def day(moment: Moment | None) -> date | None:
    """Return the day of `moment` in UTC; None without a moment."""
    return when(moment).date() if moment is not None else None


def clock_time(moment: Moment) -> str:
    """Return `moment` in UTC as `Nov 24, 2026 10:42 UTC`."""
    at = when(moment)  # Windows has no `%-d`
    return f"{at:%b} {at.day}, {at:%Y %H:%M} UTC"
