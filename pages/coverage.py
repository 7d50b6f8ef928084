"""Token coverage: who has a token, by organization and service, worst first."""

import streamlit as st

from lib.domain.roles import Permission
from lib.operations import directory
from lib.ui import coverage_view, guard, places
from lib.ui.desk import desk

st.header("Token coverage", anchor=False)
actor = guard.need(Permission.COVERAGE)

chosen = coverage_view.chosen()
if chosen:
    st.switch_page("api_tokens.py", query_params=places.parameters(*chosen))

everything = directory.read_coverage(desk().engine, desk().clock, actor)
if not everything:
    coverage_view.show_none(filtered=False)
    st.stop()

state, kind, order = coverage_view.ask(directory.states(desk().engine, actor))
rows = coverage_view.pick(everything, state, kind, order)
if not rows:
    coverage_view.show_none(filtered=True)
    st.stop()

with st.container(gap="xxsmall"):
    st.markdown(coverage_view.totals_sentence(rows))
    st.caption("A user counts once for each service of the organization.")
coverage_view.show_chart(rows, order, directory.services(desk().engine))
coverage_view.show_table(rows, actor)
