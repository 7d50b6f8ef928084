"""Recipient API Tokens: pick organization and service, tick users, choose an action, confirm."""

import streamlit as st

from lib.ui import action_bar, confirmations, places, receipts, scope_pickers, token_table

here, chosen = places.subscription()
st.header("Recipient API Tokens", anchor=False)
scope_pickers.show(here, chosen)
receipts.show()
shown = token_table.show(here, chosen)
action_bar.show(chosen, shown)
confirmations.show()
