"""My API tokens: accept or decline pending tokens, copy a new token once, see your tokens."""

import streamlit as st

from lib.domain.states import TokenState
from lib.operations import own_tokens as use_cases
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components.message import render_message
from lib.ui.my_tokens import my_tokens

st.header("My API tokens", anchor=False)
actor = permissions.current_user()

mine = use_cases.list_own(app_context().engine, app_context().clock, actor)
pending = [token for token in mine if token.state is TokenState.PENDING]
accepted = [token for token in mine if token.state is TokenState.ACCEPTED]

render_message(width=my_tokens.WIDTH)
my_tokens.render_new_token(actor, mine)
if not mine:
    my_tokens.render_no_tokens()
if pending:
    my_tokens.render_pending(actor, pending, accepted)
if accepted:
    my_tokens.render_accepted(accepted)
my_tokens.confirm_decline(pending)
