"""The heat map of Token coverage: the share of users with a token, by organization and service."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import streamlit as st

from lib.domain.coverage import CoverageRow
from lib.domain.directory import Service
from lib.ui.components.definition_list import UNKNOWN, share_text

CHART_ORGANIZATIONS = 40
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
