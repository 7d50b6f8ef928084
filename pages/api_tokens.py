"""Recipient API Tokens: pick organization and service, tick users, choose an action, confirm."""

import streamlit as st

from lib.ui import action_bar, confirmations, places, receipts, scope_pickers, token_table

here, chosen = places.subscription()
st.header("Recipient API Tokens", anchor=False)
scope_pickers.show(here, chosen)
receipts.show()
acts = bool(action_bar.allowed_actions(here.actor, chosen.organization_id))
shown = token_table.show(here, chosen, selectable=acts)
action_bar.show(here, chosen, shown)
confirmations.show()
