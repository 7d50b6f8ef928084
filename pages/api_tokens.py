"""Recipient API Tokens: pick organization and service, tick users, choose an action, confirm."""

import streamlit as st

from lib.ui.navigation import scope
from lib.ui.tokens import action_bar, confirmations, errand, receipts, scope_pickers, token_table

here, chosen = scope.require_subscription()
st.header("Recipient API Tokens", anchor=False)
scope_pickers.render_scope_pickers(here, chosen)
errand.render_errand(here, chosen)
receipts.render_receipt(here.actor)
acts = bool(action_bar.allowed_actions(here.actor, chosen.organization_id))
shown = token_table.render_token_table(here, chosen, selectable=acts)
action_bar.render_action_bar(here, chosen, shown)
confirmations.render_confirmation()
