"""A plan as its confirmation and its request for approval show it."""

from collections.abc import Callable

import streamlit as st

from lib.domain.plan import Plan
from lib.domain.states import Action, ExistingTokens
from lib.ui.components import skipped_users
from lib.ui.components.consequence import render_consequence
from lib.ui.session import set_value
from lib.ui.tokens.affected_users import render_affected_users
from lib.wording.formats import plain
from lib.wording.labels import EXISTING_TOKENS
from lib.wording.sentences import plan_details, plan_sentence

EXISTING = "confirm_existing_tokens"


def render_plan(plan: Plan, choose: Callable[[], None] | None = None) -> None:
    """Draw what the plan does, on whom, and whom it skips and why.

    With `choose` existing tokens are a choice, and `choose` is called after another one was made.
    """
    render_summary(plan, choose)
    render_affected_users(plan)
    skipped_users.render_skipped(plan.preview.skipped)


def render_summary(plan: Plan, choose: Callable[[], None] | None = None) -> None:
    """Draw what the plan does in numbers; `choose` is that of `render_plan`."""
    render_consequence(plan.preview.tokens_ending, plan.preview.pending_ending)
    st.markdown(f"**{plan_sentence(plan)}**")
    if plan.action is Action.GENERATE and _has_existing_tokens(plan):
        _draw_existing_tokens(plan, choose)
    details = plan_details(plan)
    if details:
        st.markdown("\n".join(f"- {detail}" for detail in details))


def place_of(organization_name: str, organization_id: str, service_name: str) -> str:
    """Return the place of a plan as Markdown, for the top of its dialog."""
    return " · ".join(map(plain, (organization_name, organization_id, service_name)))


def _has_existing_tokens(plan: Plan) -> bool:
    return bool(plan.preview.tokens_ending or plan.preview.second_tokens)


def _draw_existing_tokens(plan: Plan, choose: Callable[[], None] | None) -> None:
    """Draw what happens to existing tokens (ruling 3): the choice, or what was chosen."""
    if choose is None:
        st.markdown(f"Existing tokens: {EXISTING_TOKENS[plan.existing_tokens].lower()}.")
        return
    set_value(EXISTING, plan.existing_tokens)  # the plan decides, also after a failed choice
    st.radio(
        "Existing tokens",
        list(ExistingTokens),
        key=EXISTING,
        format_func=EXISTING_TOKENS.__getitem__,
        on_change=choose,
    )
