"""Recall: whose leaked tokens are, whether they work, and their end in one confirmed act."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui import guard, recall_form

st.header("Recall", anchor=False)
guard.need(Permission.RECALL)
recall_form.show_receipt()
recall_form.ask()
found = recall_form.found()
if found:
    recall_form.show_found(found)
recall_form.confirm()
