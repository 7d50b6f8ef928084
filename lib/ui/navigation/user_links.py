"""Links to the page Users and to the page of one user."""

import streamlit as st

from lib.ui.navigation import links
from lib.ui.navigation.activity_links import open_next, person_link
from lib.ui.navigation.page_registry import PERSON, USERS
from lib.ui.session import set_value
from lib.wording.formats import plain

#: The search field of Users. Whoever opens the page for a text writes it in before.
USERS_SEARCH = "users_search"


def user_link(name: str, username: str, tail: str = "", *, icon: str = "person") -> None:
    """Draw the link to a person's page: the name, then `tail` (without it the username)."""
    label = f":blue[{plain(name or username)}] {plain(tail or username)}"
    links.page_link(PERSON, person_link(username), label=label, icon=icon)


def users_button(label: str, search: str, key: str) -> None:
    """Draw a button that opens Users with `search` in its field; `label` is Markdown."""
    st.button(label, type="tertiary", on_click=_open_users, args=(search,), key=key)


def _open_users(search: str) -> None:
    set_value(USERS_SEARCH, search)
    open_next(USERS, {})
