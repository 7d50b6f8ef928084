"""A saved view of Token coverage: the people whom a number counts, and the way to act on them."""

import streamlit as st

from lib.domain.roles import Permission
from lib.domain.worries import parse_view
from lib.ui.auth import permissions
from lib.ui.coverage import people_list

actor = permissions.require_permission(Permission.COVERAGE)
saved = parse_view(st.query_params.to_dict())
if saved is None:
    people_list.render_unknown_view()
else:
    people_list.render_people(actor, saved)
