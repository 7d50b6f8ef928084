"""The frame of every page: sign-in, place and menu."""

import streamlit as st

from lib.operations import directory
from lib.settings import ROOT
from lib.ui.app_context import app_context, open_database
from lib.ui.auth import permissions
from lib.ui.components import message
from lib.ui.navigation import activity_links, menu, scope
from lib.ui.tokens import confirmations

st.set_page_config(
    layout="wide", initial_sidebar_state=244, page_icon=str(ROOT / "data" / "icon.svg")
)
st.logo(str(ROOT / "data" / "logo.svg"), icon_image=str(ROOT / "data" / "icon.svg"))

with message.errors_shown(confirmations.keep_open):
    open_database()
    actor = permissions.require_sign_in(menu.declare_hidden)
    services = directory.services(app_context().engine)
    declared = menu.declare(services)
    scope.read_url()
    url_path = menu.open_page(actor, declared)
    scope.say_if_session_is_new()
    scope.reset_on_navigation(url_path)
    if menu.is_below(actor, url_path):
        # Before the menu: the browser adds the query string that it knows to the page's address.
        # After the menu it would make two entries in the history, and Back would not leave them.
        scope.write_url()
    page = st.navigation(menu.sections(actor, url_path, services, declared), expanded=True)
    activity_links.open_what_was_followed()
    page.run()
