"""The heat map of Token coverage: the share of users with a token, by organization and service."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import streamlit as st

from lib.domain.coverage import CoverageRow
from lib.domain.directory import Service
from lib.ui.components.definition_list import UNKNOWN, share_text
from lib.ui.session import value

CHART_ORGANIZATIONS = 40
_KEY, _CELL = "coverage_chart", "cell"
_ROW_HEIGHT = 26  # pixels
_LINE_HEIGHT = 14
_SERVICE_WIDTH = 12  # letters of a line of a service's name
_NAME_WIDTH, _NARROW_NAME_WIDTH = 30, 17  # letters of an organization's name
_NARROW = 560  # pixels; a narrower chart shows the short names
_BLANK = "\N{NO-BREAK SPACE}"  # the chart draws no line for an empty text
_FONT = "Source Sans, sans-serif"  # the theme's; a chart's marks do not inherit it


class _Colours(NamedTuple):
    """Colours of the heat map: `ramp` from share 0 to 1; text has a contrast of 4.5 or more."""

    ramp: tuple[str, str, str]
    ink: str
    quiet: str


_LIGHT = _Colours(("#EAF1F1", "#ABD6CF", "#6FBFB2"), "#1B2430", "#44505E")
_DARK = _Colours(("#1E2B33", "#24504F", "#2B746B"), "#E6EAF0", "#A9B4C0")


def render_heat_map(
    rows: Sequence[CoverageRow],
    services: Iterable[Service],
    choose: Callable[[tuple[str, str]], None],
) -> None:
    """Draw the heat map of the first 40 organizations of `rows`; columns are `services`.

    `choose` gets the ids of the organization and the service of a cell that is clicked.
    """
    everything = _by_organization(rows)
    shown = list(everything.values())[:CHART_ORGANIZATIONS]
    st.altair_chart(
        _chart(shown, services, _DARK if st.context.theme.type == "dark" else _LIGHT),
        key=_KEY,
        on_select=lambda: _choose_cell(choose),
        selection_mode=_CELL,
        alt="Share of users with an accepted token, by organization and service; the table below "
        "has the same figures.",
    )
    st.caption(_chart_caption(len(shown), len(everything)))


def _choose_cell(choose: Callable[[tuple[str, str]], None]) -> None:
    cells = value(_KEY).selection.get(_CELL)
    if cells and {"org", "service"} <= cells[0].keys():
        choose((cells[0]["org"], cells[0]["service"]))


def _by_organization(rows: Iterable[CoverageRow]) -> dict[str, list[CoverageRow]]:
    together: dict[str, list[CoverageRow]] = {}
    for row in rows:
        together.setdefault(row.organization_id, []).append(row)
    return together


def _chart_caption(shown: int, all_of_them: int) -> str:
    meaning = f"Share of users with an accepted token; {UNKNOWN} means not subscribed."
    most = f" The first {shown} of {all_of_them:,} organizations; the table has all."
    return f"{meaning}{most if shown < all_of_them else ''} Choose a cell to see its people."


def _chart(
    organizations: Sequence[Sequence[CoverageRow]], services: Iterable[Service], colours: _Colours
) -> alt.LayerChart:
    columns = _service_labels(organizations, services)
    names = [_organization_label(rows[0]) for rows in organizations]
    base = alt.Chart(pd.DataFrame(_cells(organizations, columns))).encode(
        x=_service_axis(columns, colours),
        y=_organization_axis(names, colours),
        tooltip=[
            alt.Tooltip("name:N", title="Organization"),
            alt.Tooltip("service_name:N", title="Service"),
            alt.Tooltip("users:N", title="Have a token"),
        ],
    )
    counted = "isValid(datum.share)"
    pick = alt.selection_point(name=_CELL, fields=["org", "service"], on="click", clear=False)
    ramp = alt.Scale(domain=[0, 0.5, 1], range=list(colours.ramp))
    cell = base.transform_filter(counted).mark_rect(cornerRadius=3, cursor="pointer")
    ink = alt.condition(counted, alt.value(colours.ink), alt.value(colours.quiet))
    chart: alt.LayerChart = (
        alt.layer(
            cell.encode(color=alt.Color("share:Q", scale=ramp, legend=_legend(colours))).add_params(
                pick
            ),
            base.mark_text(font=_FONT, fontSize=12, cursor="pointer").encode(
                text="text:N", color=ink
            ),
        )
        # A height in pixels would be that of plot and header together: few rows would collapse.
        .properties(height=alt.Step(_ROW_HEIGHT))
        .configure_view(stroke=None)
    )
    return chart


def _service_labels(
    organizations: Iterable[Iterable[CoverageRow]], services: Iterable[Service]
) -> dict[str, str]:
    """Return the labels of the services that occur, by id.

    `|` separates the lines. All labels have the same number of lines, so that the last ones align.
    """
    present = {row.service_id for rows in organizations for row in rows}
    names = {s.service_id: s.name for s in services if s.service_id in present}
    lines = {
        key: textwrap.wrap(_distinct(key, names), _SERVICE_WIDTH, break_long_words=False)
        for key in names
    }
    most = max(map(len, lines.values()), default=0)
    return {key: "|".join([_BLANK] * (most - len(own)) + own) for key, own in lines.items()}


def _distinct(key: str, names: Mapping[str, str]) -> str:
    """Return the name of a service; with its id where two services have the same name."""
    name = names[key].replace("|", "/")
    return name if list(names.values()).count(names[key]) == 1 else f"{name} {key}"


def _organization_label(row: CoverageRow) -> str:
    """Return two labels of an organization, `|` between: a long one with its id, and a short one.

    The names are cut here: the chart would cut the id off.
    """
    name = row.organization_name.replace("|", "/")
    long = f"{_cut(name, _NAME_WIDTH)} · {row.organization_id}"
    return f"{long}|{_cut(name, _NARROW_NAME_WIDTH)}"


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _service_axis(labels: Mapping[str, str], colours: _Colours) -> alt.X:
    lines = max((label.count("|") + 1 for label in labels.values()), default=1)
    axis: alt.X = alt.X(
        "label:N", sort=list(labels.values()), title=None, scale=alt.Scale(paddingInner=0.03)
    ).axis(
        orient="top",
        labelAngle=0,
        labelFlush=False,
        labelBaseline="top",
        labelLineHeight=_LINE_HEIGHT,
        labelPadding=_LINE_HEIGHT * lines + 2,
        labelExpr="split(datum.label, '|')",
        **_axis_style(colours),
    )
    return axis


def _organization_axis(names: Sequence[str], colours: _Colours) -> alt.Y:
    axis: alt.Y = alt.Y(
        "organization:N", sort=list(names), title=None, scale=alt.Scale(paddingInner=0.1)
    ).axis(
        labelPadding=8,
        labelExpr=f"split(datum.label, '|')[containerSize()[0] < {_NARROW} ? 1 : 0]",
        **_axis_style(colours),
    )
    return axis


def _axis_style(colours: _Colours) -> dict[str, Any]:
    return {
        "labelColor": colours.quiet,
        "labelFontSize": 12,
        "labelLimit": 0,
        "labelOverlap": False,
        "domain": False,
        "ticks": False,
        "grid": False,
    }


def _legend(colours: _Colours) -> alt.Legend:
    return alt.Legend(
        orient="bottom",
        direction="horizontal",
        title=None,
        values=[0, 0.5, 1],
        format=".0%",
        gradientLength=160,
        labelColor=colours.quiet,
        labelFontSize=12,
    )


def _cells(
    organizations: Iterable[Sequence[CoverageRow]], labels: Mapping[str, str]
) -> list[dict[str, str | float | None]]:
    """Return one cell for each organization and service, with or without a subscription."""
    return [
        _cell(rows[0], service_id, label, by_service.get(service_id))
        for rows in organizations
        for by_service in [{row.service_id: row for row in rows}]
        for service_id, label in labels.items()
    ]


def _cell(
    organization: CoverageRow, service_id: str, label: str, row: CoverageRow | None
) -> dict[str, Any]:
    share = row.share if row else None
    text = "no users" if row else UNKNOWN
    return {
        "org": organization.organization_id,
        "service": service_id,
        "organization": _organization_label(organization),
        "label": label,
        "service_name": " ".join(label.replace("|", " ").split()),
        "name": f"{organization.organization_name} · {organization.organization_id}",
        "share": share,
        "text": text if share is None else f"{share:.0%}",
        "users": share_text(row.accepted, row.users) if row else "not subscribed",
    }
