"""Activity: the list of events, or one operation; at the old address of a person that person."""

import streamlit as st

from lib.domain.roles import Permission
from lib.ui.activity import activity_list, operation_view
from lib.ui.auth import permissions
from lib.ui.session import session
from lib.ui.tokens import approvals
from lib.ui.users import person_view

operation, person = st.query_params.get("operation", ""), st.query_params.get("person", "")
if not (operation or person):
    st.header("Activity", anchor=False)
actor = permissions.require_permission(Permission.ACTIVITY)
session().open_view(operation or person)

if operation:
    operation_view.render_operation(actor, operation)
    st.stop()

if person:  # drawn here: a redirect would catch the browser's Back
    person_view.render_person(actor, person)
    st.stop()

approvals.render_open_approvals(actor)
wanted = activity_list.activity_filters(actor)
if wanted is None:
    activity_list.render_unknown_person()
    st.stop()
activity_list.render_activity_list(actor, wanted)
