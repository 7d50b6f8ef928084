"""Events as a table. A chosen row, or a line of a selectbox under it, opens its page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lib.domain.activity import ActivityRow
from lib.domain.clock import Moment
from lib.operations.activity import progress
from lib.ui.components.definition_list import UNKNOWN
from lib.ui.components.row_height import ROW_HEIGHT, table_height
from lib.ui.navigation import activity_links
from lib.ui.navigation.activity_links import Link
from lib.wording.activity import (
    PROGRESS,
    event_actor,
    event_delivery,
    event_label,
    event_reason,
    event_users,
)
from lib.wording.formats import clock_time

PAGE = 50

_ROWS_IN_SIGHT = 12
_COLUMNS = (
    "When (UTC)",
    "Who",
    "What",
    "Organization",
    "Service",
    "Users",
    "Reason",
    "State",
    "CSV",
)


def render_event_table(rows: Sequence[ActivityRow], now: Moment, key: str, alt: str) -> None:
    """Draw `rows` as a table. `alt` describes the table.

    A click on what happened, and a chosen row, follows the row's link; a click on who did it opens
    the person.
    """
    ids, targets = [row.event_id for row in rows], [_row_link(row) for row in rows]
    people = [activity_links.person_link(row.actor) if row.actor else None for row in rows]
    st.dataframe(
        _frame(rows, now),
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows), _ROWS_IN_SIGHT),
        column_config=_column_config()
        | {
            "Who": activity_links.link_column(f"{key}_who", ids, people, 76),
            "What": activity_links.link_column(f"{key}_what", ids, targets, 180),
        },
        placeholder=UNKNOWN,
        alt=alt,
        **activity_links.from_rows(key, ids, targets),
    )


def open_operation(rows: Iterable[ActivityRow], key: str) -> None:
    """Draw the selectbox that opens an operation of `rows`, for use with the keyboard."""
    lines = {
        f"{row.organization_id}-{row.operation_id}": (
            " · ".join(
                (
                    event_label(row),
                    row.organization_id,
                    clock_time(row.happened_at),
                    event_actor(row),
                )
            ),
            activity_links.operation_link(row.organization_id, row.operation_id),
        )
        for row in rows
        if row.operation_id
    }
    activity_links.link_picker("Open an operation", lines, key, 420)


def open_person(people: Mapping[str, str], key: str) -> None:
    """Draw the selectbox that opens a person of `people` (names by username)."""
    lines = {
        username: (" · ".join(filter(None, (username, name))), activity_links.person_link(username))
        for username, name in sorted(people.items())
    }
    activity_links.link_picker("Open a person", lines, key, 250)


def people_in(rows: Iterable[ActivityRow]) -> dict[str, str]:
    """Return the names of the people in `rows` by username; empty where `rows` has no name."""
    rows = list(rows)
    subjects = {row.about: "" for row in rows if row.about}
    return subjects | {row.actor: row.actor_name for row in rows if row.actor}


def _row_link(row: ActivityRow) -> Link | None:
    """Return the link of a row: its operation, else the person it is about, else who did it."""
    if row.operation_id:
        return activity_links.operation_link(row.organization_id, row.operation_id)
    person = row.about or row.actor
    return activity_links.person_link(person) if person else None


def _frame(rows: Iterable[ActivityRow], now: Moment) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            (
                row.happened_at,
                event_actor(row),
                event_label(row),
                row.organization_id,
                row.service_name or row.service_id,
                event_users(row),
                event_reason(row),
                _state(row, now),
                event_delivery(row),
            )
            for row in rows
        ],
        columns=list(_COLUMNS),
    )
    frame["When (UTC)"] = frame["When (UTC)"].astype("datetime64[ms]")
    return frame


def _state(row: ActivityRow, now: Moment) -> list[str]:
    state = progress(row, now)
    return [PROGRESS[state].word] if state else []


def _column_config() -> dict[str, Any]:
    column = st.column_config
    return {
        "When (UTC)": event_times(),
        "Organization": column.TextColumn(width=88),
        "Service": column.TextColumn(width=84),
        "Users": column.TextColumn(width=58),
        "Reason": column.TextColumn(width=134),
        "State": column.MultiselectColumn(
            width=142,
            options=[sign.word for sign in PROGRESS.values()],
            color=[sign.colour for sign in PROGRESS.values()],
        ),
        "CSV": column.TextColumn(width=84),
    }


def event_times() -> Any:  # noqa: ANN401 - a column's configuration
    """Return the configuration of a column of times in UTC."""
    return st.column_config.DatetimeColumn(width=124, format="MMM D, YYYY HH:mm")
