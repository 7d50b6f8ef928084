"""What should worry us: five numbers on top of Token coverage, each a link to its people."""

from collections.abc import Mapping

import streamlit as st

from lib.domain.worries import View, default_view
from lib.ui.navigation import links
from lib.ui.navigation.page_registry import COVERAGE_USERS

_CELL, _GAP = 150, 8  # pixels


def render_worries(numbers: Mapping[View, int]) -> None:
    """Draw each number with a link to the people whom it counts."""
    with st.grid(len(numbers), min_column_width=_CELL, gap=(_GAP, _GAP)):
        for view, number in numbers.items():
            saved = default_view(view)
            with st.container(gap=None):
                with st.container(horizontal=True, gap=None):
                    st.space(_GAP)  # the link has this much padding
                    st.subheader(f"{number:,}", width="content", anchor=False)
                links.page_link(
                    COVERAGE_USERS, saved.parameters, label=f":blue[{saved.label}]", icon=None
                )
