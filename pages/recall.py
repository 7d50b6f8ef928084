"""Recall: find the owners of leaked tokens, and end the tokens in one confirmed act."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui.auth import permissions
from lib.ui.recall import recall_form

st.header("Recall", anchor=False)
permissions.require_permission(Permission.RECALL)
recall_form.render_recall_receipt()
recall_form.recall_input()
found = recall_form.current_recall()
if found:
    recall_form.render_found_tokens(found)
recall_form.confirm()
