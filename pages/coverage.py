"""Token coverage: the share of users with a token, by organization and service, lowest first."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import directory
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.coverage import coverage_chart, coverage_view
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import TOKENS

st.header("Token coverage", anchor=False)
actor = permissions.require_permission(Permission.COVERAGE)

chosen = coverage_view.clicked_cell()
if chosen:
    links.open_page(TOKENS, scope.query_params(*chosen))

everything = directory.read_coverage(app_context().engine, app_context().clock, actor)
if not everything:
    coverage_view.render_no_coverage(filtered=False)
    st.stop()

state, kind, order = coverage_view.coverage_filters(directory.states(app_context().engine, actor))
rows = coverage_view.filtered_rows(everything, state, kind, order)
if not rows:
    coverage_view.render_no_coverage(filtered=True)
    st.stop()

with st.container(gap="xxsmall"):
    st.markdown(coverage_view.totals_sentence(rows))
    st.caption("A user counts once for each service of the organization.")
coverage_chart.render_heat_map(rows, order, directory.services(app_context().engine))
coverage_view.render_coverage_table(rows, actor)
