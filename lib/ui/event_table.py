"""Events as a table: choosing a row, or a line of a selectbox under it, opens what it is about."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lib.domain.activity import ActivityRow
from lib.domain.clock import Moment
from lib.operations.activity import progress
from lib.ui.activity_words import PROGRESS, users, what, who, why
from lib.ui.facts import UNKNOWN
from lib.ui.session import put, value
from lib.ui.wording import clock_time

PAGE = 50

_CHOSEN = "activity_chosen"
_ROW_HEIGHT = 34
_ROWS_IN_SIGHT = 12
_COLUMNS = ("When (UTC)", "Who", "What", "Organization", "Service", "Users", "State", "Reason")


def operation_link(organization_id: str, operation_id: str) -> dict[str, str]:
    """Return the query parameters of an operation's page."""
    return {"operation": f"{organization_id}-{operation_id}"}


def person_link(username: str) -> dict[str, str]:
    """Return the query parameters of a person's page (User 360)."""
    return {"person": username}


def chosen() -> dict[str, str] | None:
    """Return the query parameters of what was just chosen in a table or under it, once."""
    link: dict[str, str] | None = value(_CHOSEN)
    put(_CHOSEN, None)
    return link


def show(rows: Sequence[ActivityRow], now: Moment, key: str, alt: str) -> None:
    """Draw `rows`; a chosen one is remembered."""
    st.dataframe(
        _frame(rows, now),
        key=key,
        hide_index=True,
        row_height=_ROW_HEIGHT,
        height=height(len(rows)),
        column_config=_column_config(),
        on_select=remember(key, [_link(row) for row in rows]),
        selection_mode="single-row",
        placeholder=UNKNOWN,
        alt=alt,
    )


def height(rows: int, in_sight: int = _ROWS_IN_SIGHT) -> int:
    """Return the pixels of a table; a long one scrolls under its header."""
    return (min(rows, in_sight) + 1) * _ROW_HEIGHT + 3


def open_operation(rows: Iterable[ActivityRow], key: str) -> None:
    """Draw the selectbox that opens an operation of `rows`, for the keyboard."""
    lines = {
        f"{row.organization_id}-{row.operation_id}": " · ".join(
            (what(row), row.organization_id, clock_time(row.happened_at), who(row))
        )
        for row in rows
        if row.operation_id
    }
    pick("Open an operation", lines, "operation", key, 420)


def open_person(people: Mapping[str, str], key: str) -> None:
    """Draw the selectbox that opens one of `people` (username to label)."""
    pick("Open a person", people, "person", key, 250)


def people_in(rows: Iterable[ActivityRow]) -> dict[str, str]:
    """Return the usernames in `rows`, sorted, with their labels."""
    names = {row.actor: row.actor_name for row in rows if row.actor}
    every = {*names, *(row.subject for row in rows if row.subject)}
    return {u: " · ".join(filter(None, (u, names.get(u)))) for u in sorted(every)}


def pick(label: str, lines: Mapping[str, str], parameter: str, key: str, width: int) -> None:
    """Draw a selectbox over `lines`; the chosen one is remembered as a link."""
    if not lines:
        return

    def choose() -> None:
        line = value(key)
        put(_CHOSEN, {parameter: line} if line in lines else None)

    st.selectbox(
        label,
        list(lines),
        index=None,
        key=key,
        format_func=lambda line: lines.get(line, line),
        placeholder="Choose",
        on_change=choose,
        width=width,
    )


def remember(key: str, links: Sequence[dict[str, str] | None]) -> Callable[[], None]:
    """Return what a choice in the table does: it holds the rows as they were drawn."""

    def choose() -> None:
        rows = value(key).selection.rows
        if rows and rows[0] < len(links):
            put(_CHOSEN, links[rows[0]])

    return choose


def _link(row: ActivityRow) -> dict[str, str] | None:
    """Return what a row opens: its operation, else the person it is about, else who did it."""
    if row.operation_id:
        return operation_link(row.organization_id, row.operation_id)
    person = row.subject or row.actor
    return person_link(person) if person else None


def _frame(rows: Iterable[ActivityRow], now: Moment) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            (
                row.happened_at,
                who(row),
                what(row),
                row.organization_id,
                row.service_name or row.service_id,
                users(row),
                _state(row, now),
                why(row),
            )
            for row in rows
        ],
        columns=list(_COLUMNS),
    )
    frame["When (UTC)"] = pd.to_datetime(frame["When (UTC)"], unit="ms")
    return frame


def _state(row: ActivityRow, now: Moment) -> list[str]:
    state = progress(row, now)
    return [PROGRESS[state].word] if state else []


def _column_config() -> dict[str, Any]:
    column = st.column_config
    return {
        "When (UTC)": moments(),
        "Who": column.TextColumn(width=86),
        "What": column.TextColumn(width=180),
        "Organization": column.TextColumn(width=88),
        "Service": column.TextColumn(width=98),
        "Users": column.TextColumn(width=92),
        "State": column.MultiselectColumn(
            width=132,
            options=[sign.word for sign in PROGRESS.values()],
            color=[sign.colour for sign in PROGRESS.values()],
        ),
        "Reason": column.TextColumn(width=200),
    }


def moments() -> Any:  # noqa: ANN401 - a column's configuration
    """Return the column of moments in UTC."""
    return st.column_config.DatetimeColumn(width=134, format="MMM D, YYYY HH:mm")
