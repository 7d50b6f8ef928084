"""Token coverage: filters, totals, the heat map, and the same figures as a table and as CSV."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.coverage import CoverageRow
from lib.domain.csv_writer import csv_bytes
from lib.domain.directory import Service
from lib.domain.roles import Permission
from lib.operations.audited_download import audited_download
from lib.ui.app_context import app_context
from lib.ui.components import row_selection
from lib.ui.components.definition_list import UNKNOWN, share_text
from lib.ui.session import set_value, value
from lib.wording.formats import either
from lib.wording.labels import TYPES

CHART_ORGANIZATIONS = 40
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
ORDERS = {"share": "Lowest share first", "name": "Name"}

_FILE_NAME = "token-coverage.csv"
_TABLE, _OPEN, _CHOSEN = "coverage_table", "coverage_open", "coverage_chosen"
_ROW_HEIGHT = 24  # pixels
_NAME_WIDTH = 140
_FONT = "Source Sans, sans-serif"  # the theme's; a chart's marks do not inherit it


class _Colours(NamedTuple):
    """Colours of the heat map: `ramp` from share 0 to 1; text has a contrast of 4.5 or more."""

    ramp: tuple[str, str, str]
    ink: str
    quiet: str


_LIGHT = _Colours(("#EAF1F1", "#ABD6CF", "#6FBFB2"), "#1B2430", "#44505E")
_DARK = _Colours(("#1E2B33", "#24504F", "#2B746B"), "#E6EAF0", "#A9B4C0")


def coverage_filters(states: Iterable[str]) -> tuple[str, str, str]:
    """Draw the filters; return state, type (each empty for any) and order, a key of ORDERS."""
    kinds = {kind.value: word for kind, word in TYPES.items()}
    with st.container(horizontal=True, vertical_alignment="bottom", key="coverage_filter"):
        state = _choose("State", {"": "Any"} | {s: s for s in states if s}, 140)
        kind = _choose("Type", {"": "Any"} | kinds, 160)
        order = _choose("Order", ORDERS, 180)
    return state, kind, order


def filtered_rows(
    rows: Iterable[CoverageRow], state: str, kind: str, order: str
) -> list[CoverageRow]:
    """Return the rows of a state and a type: lowest share first, or in their order, by name."""
    wanted = [r for r in rows if state in {"", r.state} and kind in {"", r.type.value}]
    return sorted(wanted, key=_by_share) if order == "share" else wanted


def totals_sentence(rows: Sequence[CoverageRow]) -> str:
    """Return as Markdown how many users have a token, are pending, or have neither."""
    accepted, users = sum(r.accepted for r in rows), sum(r.users for r in rows)
    have = "user has a token" if users == 1 else "users have a token"
    share = f" ({accepted / users:.0%})" if users else ""
    pending = either(sum(r.pending for r in rows), "is Pending|are Pending")
    none = either(sum(r.none for r in rows), "has neither|have neither")
    return f"**{accepted:,} of {users:,} {have}{share}**, {pending}, {none}."


def render_heat_map(rows: Sequence[CoverageRow], order: str, services: Iterable[Service]) -> None:
    """Draw the heat map of the 40 organizations with the lowest shares; columns are `services`."""
    by_organization = _by_organization(rows)
    worst = sorted(by_organization, key=lambda key: _share_of(by_organization[key]))
    shown = worst[:CHART_ORGANIZATIONS]
    if order == "name":
        shown = [key for key in by_organization if key in set(shown)]
    with st.container(gap="xxsmall"):
        st.subheader("By organization and service", anchor=False)
        st.caption(_chart_caption(len(shown), len(worst)))
    labels = _labels({key: by_organization[key][0].organization_name for key in shown})
    dark = st.context.theme.type == "dark"
    st.altair_chart(
        _chart(
            [by_organization[key] for key in shown],
            labels,
            _labels({s.service_id: s.name for s in services}),
            _DARK if dark else _LIGHT,
        ),
        alt="Share of users with an accepted token, by organization and service; the table below "
        "has the same figures.",
    )


def render_coverage_table(rows: Sequence[CoverageRow], actor: Actor) -> None:
    """Draw the table and a selectbox; `clicked_cell` returns what was chosen, in the next run."""
    with st.container(gap="xxsmall"):
        st.subheader("The same figures as a table", anchor=False)
        st.caption("Choose a row to open that organization's API tokens.")
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
        **row_selection.selected_row(_TABLE, places, places, _set_chosen),
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="coverage_foot"):
        names = {
            f"{r.organization_id} {r.service_id}": f"{r.organization_name} · {r.service_name}"
            for r in rows
        }
        st.selectbox(
            "Open the API tokens of",
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
    file = partial(coverage_csv, tuple(rows))
    st.download_button(
        "Download as CSV",
        audited_download(app_context().unit_of_work, actor, Permission.EXPORT, _FILE_NAME, file),
        file_name=_FILE_NAME,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def clicked_cell() -> tuple[str, str] | None:
    """Return the ids of the organization and service that were just chosen; None ever after."""
    place: tuple[str, str] | None = value(_CHOSEN)
    set_value(_CHOSEN, None)
    return place


def render_no_coverage(*, filtered: bool) -> None:
    """Draw the empty state: nothing matches, or nothing to count; and what to do next."""
    with st.container(gap="xxsmall"):
        if filtered:
            st.markdown("**No organization matches**")
            st.caption("Choose another state or type.")
        else:
            st.markdown("**Nothing to count yet**")
            st.caption("Coverage counts active organizations with an active subscription.")
    if filtered:
        st.button("Clear filters", on_click=_clear)


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


def _choose(label: str, options: Mapping[str, str], width: int) -> str:
    chosen_key = st.selectbox(
        label,
        list(options),
        key=f"coverage_{label.lower()}",
        format_func=lambda key: options.get(key, key),
        width=width,
        persist_state="session",
    )
    return chosen_key or ""


def _by_share(row: CoverageRow) -> tuple[float, int]:
    """Return the sort key: share, then most users without a token; rows without users come last."""
    return (2.0 if row.share is None else row.share, row.accepted - row.users)


def _by_organization(rows: Iterable[CoverageRow]) -> dict[str, list[CoverageRow]]:
    together: dict[str, list[CoverageRow]] = {}
    for row in rows:
        together.setdefault(row.organization_id, []).append(row)
    return together


def _share_of(rows: Iterable[CoverageRow]) -> tuple[float, int]:
    """Return the sort key of an organization, all services together, as `_by_share`."""
    accepted, users = 0, 0
    for row in rows:
        accepted, users = accepted + row.accepted, users + row.users
    return (accepted / users if users else 2.0, accepted - users)


def _chart_caption(shown: int, all_of_them: int) -> str:
    meaning = f"Share of users with an accepted token. {UNKNOWN} means not subscribed."
    if shown == all_of_them:
        return meaning
    return f"{meaning} The {shown} lowest of {all_of_them:,} organizations; the table has all."


def _labels(names: Mapping[str, str]) -> dict[str, str]:
    """Return labels by id; where two have the same name, each label ends with the id."""
    seen = list(names.values())
    return {key: name if seen.count(name) == 1 else f"{name} {key}" for key, name in names.items()}


def _chart(
    organizations: Sequence[Sequence[CoverageRow]],
    labels: Mapping[str, str],
    services: Mapping[str, str],
    colours: _Colours,
) -> alt.LayerChart:
    present = {row.service_id for rows in organizations for row in rows}
    services = {key: label for key, label in services.items() if key in present}
    base = alt.Chart(pd.DataFrame(_cells(organizations, labels, services))).encode(
        x=_axis("service", list(services.values()), 0.03).axis(
            orient="top",
            labelAngle=0,
            labelFlush=False,
            labelOverlap=False,
            labelExpr="split(datum.label, ' ')",
            labelPadding=20,
            **_axis_style(colours),
        ),
        y=_axis("organization", list(labels.values()), 0.1).axis(
            labelLimit=_NAME_WIDTH, labelPadding=10, **_axis_style(colours)
        ),
        tooltip=["organization", "service", "users"],
    )
    counted = "isValid(datum.share)"
    ramp = alt.Scale(domain=[0, 0.5, 1], range=list(colours.ramp))
    cell = base.transform_filter(counted).mark_rect(cornerRadius=3)
    ink = alt.condition(counted, alt.value(colours.ink), alt.value(colours.quiet))
    chart: alt.LayerChart = (
        alt.layer(
            cell.encode(color=alt.Color("share:Q", scale=ramp, legend=None)),
            base.mark_text(font=_FONT, fontSize=12).encode(text="text:N", color=ink),
        )
        .properties(height=_ROW_HEIGHT * len(organizations))
        .configure_view(stroke=None)
    )
    return chart


def _axis(field: str, order: list[str], padding: float) -> Any:  # noqa: ANN401 - X or Y
    channel = {"service": alt.X, "organization": alt.Y}[field]
    return channel(f"{field}:N", sort=order, title=None, scale=alt.Scale(paddingInner=padding))


def _axis_style(colours: _Colours) -> dict[str, Any]:
    return {
        "labelColor": colours.quiet,
        "labelFontSize": 12,
        "domain": False,
        "ticks": False,
        "grid": False,
    }


def _cells(
    organizations: Iterable[Sequence[CoverageRow]],
    labels: Mapping[str, str],
    services: Mapping[str, str],
) -> list[dict[str, str | float | None]]:
    """Return one cell for each organization and service, with or without a subscription."""
    return [
        _cell(labels[rows[0].organization_id], label, by_service.get(service_id))
        for rows in organizations
        for by_service in [{row.service_id: row for row in rows}]
        for service_id, label in services.items()
    ]


def _cell(organization: str, service: str, row: CoverageRow | None) -> dict[str, Any]:
    share = row.share if row else None
    text = "no users" if row else UNKNOWN
    return {
        "organization": organization,
        "service": service,
        "share": share,
        "text": text if share is None else f"{share:.0%}",
        "users": share_text(row.accepted, row.users) if row else "not subscribed",
    }


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


def _set_chosen(place: tuple[str, str]) -> None:
    set_value(_CHOSEN, place)


def _set_chosen_line() -> None:
    line = value(_OPEN)
    set_value(_CHOSEN, tuple(line.split(" ", 1)) if line else None)


def _clear() -> None:
    set_value("coverage_state", "")
    set_value("coverage_type", "")
