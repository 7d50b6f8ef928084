"""Token coverage: what should worry us, and the share of users with a token, lowest first."""

import streamlit as st

from lib.domain.coverage import by_organization, by_row, matching_rows
from lib.domain.roles import Permission
from lib.domain.worries import SavedView, View
from lib.operations import directory, worries
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.coverage import coverage_chart, coverage_view, worry_row
from lib.ui.navigation import links
from lib.ui.navigation.page_registry import COVERAGE_USERS

st.header("Token coverage", anchor=False)
actor = permissions.require_permission(Permission.COVERAGE)

chosen = coverage_view.clicked_cell()
if chosen:
    links.open_page(COVERAGE_USERS, SavedView(View.USERS, 0, *chosen).parameters)

database = (app_context().engine, app_context().clock, actor)
worry_row.render_worries(worries.count_worries(*database))
everything = directory.read_coverage(*database)
if not everything:
    coverage_view.render_no_coverage(filtered=False)
    st.stop()

st.subheader("By organization and service", anchor=False)
services = directory.services(app_context().engine)
states = directory.states(app_context().engine, actor)
wanted, order = coverage_view.coverage_filters(states, services)
rows = matching_rows(everything, wanted)
if not rows:
    coverage_view.render_no_coverage(filtered=True)
    st.stop()

with st.container(gap="xxsmall"):
    st.markdown(coverage_view.totals_sentence(rows))
    st.caption(coverage_view.COUNTED)
coverage_chart.render_heat_map(by_organization(rows, order), services, coverage_view.choose_cell)
coverage_view.render_coverage_table(by_row(rows, order), actor)
