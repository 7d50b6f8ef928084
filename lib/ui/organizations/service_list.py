"""The services that an organization subscribes to, with links to their pages."""

from collections.abc import Iterable, Mapping

import streamlit as st

from lib.domain.coverage import CoverageRow
from lib.domain.directory import Subscription
from lib.ui.components.definition_list import UNKNOWN, date_text, share_text, status_badge
from lib.ui.components.empty_state import render_empty_state
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import LICENSE, TOKENS
from lib.wording.formats import plain

_NAME, _STATUS, _SINCE, _TOKENS, _LINK = 220, 100, 90, 118, 140  # pixels: two lines at 400
_TABLE = 785


def render_services(
    subscriptions: Iterable[Subscription], coverage: Mapping[str, CoverageRow]
) -> None:
    """Draw a line for each subscription. `coverage` is by service id; it lacks inactive ones."""
    with st.container(key="services_table", gap="xxsmall", width=_TABLE):
        with st.container(horizontal=True, gap="xsmall"):
            st.caption("Service", width=_NAME)
            st.caption("Status", width=_STATUS)
            st.caption("Since", width=_SINCE)
            st.caption("Have a token", width=_TOKENS)
        for subscription in subscriptions:
            _row(subscription, coverage.get(subscription.service_id))


def render_no_services(organization_name: str) -> None:
    """Draw the empty state: no subscription, and the command that imports one."""
    render_empty_state(
        f"{plain(organization_name)} subscribes to no service",
        "Without a subscription it has no tokens. Import one from a CSV file:",
        command="python -m lib.cli import --subscriptions subscriptions.csv",
    )


def coverage_text(coverage: CoverageRow | None) -> str:
    """Return the active users with an accepted token: `212 of 250 (85%)`; else a dash."""
    return share_text(coverage.accepted, coverage.users) if coverage else UNKNOWN


def _row(subscription: Subscription, coverage: CoverageRow | None) -> None:
    name = plain(subscription.service_name)
    place = scope.query_params(subscription.organization_id, subscription.service_id)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        with st.container(width=_NAME):
            links.page_link(LICENSE, place, label=f":blue[{name}]", help_text=f"{name} License")
        st.markdown(f":small[{status_badge(subscription.status)}]", width=_STATUS)
        st.markdown(f":small[{plain(date_text(subscription.since))}]", width=_SINCE)
        st.markdown(f":small[{coverage_text(coverage)}]", width=_TOKENS)
        with st.container(width=_LINK):
            links.page_link(TOKENS, place, help_text=f"API 2.0 Tokens of {name}")
