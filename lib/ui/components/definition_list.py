"""Definition lists: facts with their labels, dates, shares and statuses."""

from collections.abc import Mapping
from datetime import date

import streamlit as st

from lib.domain.clock import Moment
from lib.domain.directory import Organization
from lib.domain.states import Status
from lib.wording.formats import day, plain
from lib.wording.labels import STATUS, STATUS_ICONS

DASH = "\N{EN DASH}"
UNKNOWN = DASH
_LABEL_WIDTH = 170
_VALUE_WIDTH = 560


def render_definitions(facts: Mapping[str, str], *, label_width: int = _LABEL_WIDTH) -> None:
    """Draw one line for each fact (value by label), as plain text; a dash for an empty value.

    `label_width` is in pixels.
    """
    with st.container(gap="xsmall"):
        for label, value in facts.items():
            with st.container(horizontal=True, gap="xsmall", vertical_alignment="top"):
                st.caption(label, width=label_width)
                st.text(value.strip() or UNKNOWN, width=_VALUE_WIDTH)


def warn_when_inactive(organization: Organization) -> None:
    """Draw a warning when the organization is not active: what that means for its tokens."""
    if organization.status is not Status.ACTIVE:
        st.warning(
            f"{plain(organization.name)} is {organization.status.value}: its tokens are refused, "
            "and its users cannot get new ones.",
            icon=STATUS_ICONS[organization.status],
        )


def status_badge(status: Status) -> str:
    """Return a status as Markdown: its icon and its word."""
    return f"{STATUS_ICONS[status]} {STATUS[status]}"


def day_text(moment: Moment | None) -> str:
    """Return the day of `moment` in UTC as `Nov 24, 2026`, or a dash without a moment."""
    moment_day = day(moment)
    return _long_date(moment_day) if moment_day else UNKNOWN


def date_text(iso: str) -> str:
    """Return an ISO date as `Nov 24, 2026`; other text unchanged; a dash for an empty text."""
    try:
        return _long_date(date.fromisoformat(iso))
    except ValueError:
        return iso or UNKNOWN


def share_text(part: int, whole: int) -> str:
    """Return `212 of 250 (85%)`; without the share when `whole` is 0."""
    share = f" ({part / whole:.0%})" if whole else ""
    return f"{part:,} of {whole:,}{share}"


def seats_text(used: int | None, seats: int | None) -> str:
    """Return `212 of 250`. `used` is None when tokens are not counted, `seats` without a limit."""
    if used is None:
        return UNKNOWN if seats is None else f"{UNKNOWN} of {seats:,}"
    if seats is None:
        return f"{used:,}, no limit stated"
    over = f", {used - seats:,} over" if used > seats else ""
    return f"{used:,} of {seats:,}{over}"


def _long_date(one_day: date) -> str:
    return f"{one_day:%b} {one_day.day}, {one_day.year}"
