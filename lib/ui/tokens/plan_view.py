"""A plan as its confirmation and its request for approval show it."""

import streamlit as st

from lib.domain.plan import Plan
from lib.ui.components import skipped_users
from lib.wording.formats import plain
from lib.wording.sentences import plan_details, plan_sentence


def render_plan(plan: Plan) -> None:
    """Draw what the plan does, on how many users, and whom it skips and why."""
    st.markdown(f"**{plan_sentence(plan)}**")
    details = plan_details(plan)
    if details:
        st.markdown("\n".join(f"- {detail}" for detail in details))
    if plan.preview.skipped:
        st.markdown("**Skipped**")
        skipped_users.render_skipped_users(plan.preview.skipped)


def place_of(organization_name: str, organization_id: str, service_name: str) -> str:
    """Return the place of a plan as Markdown, for the top of its dialog."""
    return " · ".join(map(plain, (organization_name, organization_id, service_name)))
