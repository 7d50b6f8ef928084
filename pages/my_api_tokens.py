"""My API tokens: accept or decline what is pending, copy the new token once, see what you have."""

import streamlit as st

from lib.domain.states import TokenState
from lib.operations import own_tokens as use_cases
from lib.ui import guard, own_tokens
from lib.ui.desk import desk

st.header("My API tokens", anchor=False)
actor = guard.current()

mine = use_cases.list_own(desk().engine, desk().clock, actor)
pending = [token for token in mine if token.state is TokenState.PENDING]
accepted = [token for token in mine if token.state is TokenState.ACCEPTED]

own_tokens.show_notice()
own_tokens.show_new_token(actor, mine)
if not mine:
    own_tokens.show_none()
if pending:
    own_tokens.show_pending(actor, pending, accepted)
if accepted:
    own_tokens.show_accepted(accepted)
own_tokens.confirm_decline(pending)
