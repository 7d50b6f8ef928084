"""Token coverage: filters, totals, and the figures as a table and as CSV."""

from collections.abc import Iterable, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.coverage import BY_NAME, BY_SHARE, CoverageFilter, CoverageRow, by_service
from lib.domain.csv_writer import csv_bytes
from lib.domain.directory import Service
from lib.domain.roles import Permission
from lib.operations.audited_download import audited_download
from lib.ui.app_context import app_context
from lib.ui.components import row_selection
from lib.ui.components.csv_download import render_csv_button
from lib.ui.components.definition_list import UNKNOWN
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import choice, filter_row
from lib.ui.session import set_value, value
from lib.wording.formats import either
from lib.wording.labels import TYPES

CSV_HEADER = (
    "Organization ID",
    "Organization",
    "Type",
    "State",
    "Service",
    "Accepted",
    "Pending",
    "None",
    "Users",
    "Share",
)
#: The denominator of every share, as lib.domain.coverage defines it.
COUNTED = "Counted are active members of active organizations, once for each active subscription."

_FILE_NAME = "token-coverage.csv"
_STATE, _TYPE, _SERVICE = "coverage_state", "coverage_type", "coverage_service"
_TABLE, _OPEN, _CHOSEN = "coverage_table", "coverage_open", "coverage_chosen"


def coverage_filters(
    states: Iterable[str], services: Iterable[Service]
) -> tuple[CoverageFilter, str]:
    """Draw the filters; return what to show, and the order (lib.domain.coverage)."""
    kinds = {kind.value: word for kind, word in TYPES.items()}
    names = {s.service_id: s.name for s in services}
    lowest = {by_service(key): f"Lowest {name} first" for key, name in names.items()}
    orders = {BY_SHARE: "Lowest share first", **lowest, BY_NAME: "Name"}
    with filter_row("coverage_filter"):
        state = choice("State", {"": "Any"} | {s: s for s in states if s}, _STATE, 110)
        kind = choice("Type", {"": "Any"} | kinds, _TYPE, 130)
        service = choice("Service", {"": "All services"} | names, _SERVICE, 190)
        order = choice("Order", orders, "coverage_order", 190)
    return CoverageFilter(state, kind, service), order


def totals_sentence(rows: Sequence[CoverageRow]) -> str:
    """Return as Markdown how many users have a token, are pending, or have neither."""
    accepted, users = sum(r.accepted for r in rows), sum(r.users for r in rows)
    have = "user has a token" if users == 1 else "users have a token"
    share = f" ({accepted / users:.0%})" if users else ""
    pending = either(sum(r.pending for r in rows), "is Pending|are Pending")
    none = either(sum(r.none for r in rows), "has neither|have neither")
    return f"**{accepted:,} of {users:,} {have}{share}**, {pending}, {none}."


def render_coverage_table(rows: Sequence[CoverageRow], actor: Actor) -> None:
    """Draw the table and a selectbox; `clicked_cell` returns what was chosen, in the next run."""
    with st.container(gap="xxsmall"):
        st.subheader("The same figures as a table", anchor=False)
        st.caption("Choose a row to see its people.")
    places = [(r.organization_id, r.service_id) for r in rows]
    st.dataframe(
        _frame(rows),
        height=min(330, 38 + 35 * len(rows)),
        hide_index=True,
        column_config={
            "Organization": st.column_config.TextColumn(width=215),
            "ID": st.column_config.TextColumn(width=80),
            "Service": st.column_config.TextColumn(width=130),
            "Accepted": st.column_config.NumberColumn(width=82, format="localized"),
            "Pending": st.column_config.NumberColumn(width=78, format="localized"),
            "None": st.column_config.NumberColumn(width=66, format="localized"),
            "Users": st.column_config.NumberColumn(width=70, format="localized"),
            "Share": st.column_config.ProgressColumn(width=120, format="percent"),
        },
        placeholder=UNKNOWN,
        alt="Token coverage by organization and service",
        **row_selection.selected_row(_TABLE, places, places, choose_cell),
    )
    with filter_row("coverage_foot"):
        names = {
            f"{r.organization_id} {r.service_id}": f"{r.organization_name} · {r.service_name}"
            for r in rows
        }
        st.selectbox(
            "See the people of",
            list(names),
            index=None,
            key=_OPEN,
            format_func=lambda key: names.get(key, key),
            placeholder="Organization and service",
            width=360,
            on_change=_set_chosen_line,
        )
        _offer_csv([r for r in rows if actor.may(Permission.EXPORT, r.organization_id)], actor)


def _offer_csv(rows: Sequence[CoverageRow], actor: Actor) -> None:
    """Draw the CSV download of the rows that `actor` may export; nothing without rows."""
    if not rows:
        return
    file = audited_download(
        app_context().unit_of_work,
        actor,
        Permission.EXPORT,
        _FILE_NAME,
        partial(coverage_csv, tuple(rows)),
    )
    render_csv_button("Download as CSV", file, _FILE_NAME, "coverage_download")


def choose_cell(place: tuple[str, str]) -> None:
    """For callbacks: choose the ids of an organization and a service."""
    set_value(_CHOSEN, place)


def clicked_cell() -> tuple[str, str] | None:
    """Return the ids of the organization and service that were just chosen; None ever after."""
    place: tuple[str, str] | None = value(_CHOSEN)
    set_value(_CHOSEN, None)
    return place


def render_no_coverage(*, filtered: bool) -> None:
    """Draw the empty state: nothing matches, or nothing to count; and what to do next."""
    if filtered:
        render_empty_state(
            "No organization matches",
            "Choose another state, type or service.",
            clear="Clear filters",
            on_clear=_clear,
        )
    else:
        render_empty_state(
            "Nothing to count yet",
            COUNTED,
        )


def coverage_csv(rows: Iterable[CoverageRow]) -> bytes:
    """Return the figures as a CSV file in UTF-8. It contains no secret."""
    return csv_bytes(
        CSV_HEADER,
        (
            (
                r.organization_id,
                r.organization_name,
                TYPES[r.type],
                r.state,
                r.service_name,
                *map(str, (r.accepted, r.pending, r.none, r.users)),
                "" if r.share is None else f"{r.share:.4f}",
            )
            for r in rows
        ),
    )


def _frame(rows: Iterable[CoverageRow]) -> pd.DataFrame:
    columns = ("Organization", "ID", "Service", "Accepted", "Pending", "None", "Users", "Share")
    return pd.DataFrame(
        [
            (
                r.organization_name,
                r.organization_id,
                r.service_name,
                r.accepted,
                r.pending,
                r.none,
                r.users,
                None if r.share is None else round(r.share, 2),  # whole percents
            )
            for r in rows
        ],
        columns=list(columns),
    )


def _set_chosen_line() -> None:
    line = value(_OPEN)
    set_value(_CHOSEN, tuple(line.split(" ", 1)) if line else None)


def _clear() -> None:
    for key in (_STATE, _TYPE, _SERVICE):
        set_value(key, "")
