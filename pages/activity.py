"""Activity: what was done, newest first; one operation; one person's whole history (User 360)."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui import activity_list, four_eyes, guard, operation_view, person_view
from lib.ui.session import session

operation, person = st.query_params.get("operation", ""), st.query_params.get("person", "")
if not (operation or person):
    st.header("Activity", anchor=False)
actor = guard.need(Permission.ACTIVITY)
session().look_at(operation or person)

if operation:
    operation_view.show(actor, operation)
    st.stop()
if person:
    person_view.show(actor, person)
    st.stop()

four_eyes.show_open(actor)
wanted = activity_list.ask(actor)
if wanted is None:
    activity_list.show_nobody()
    st.stop()
activity_list.show(actor, wanted)
