"""The frame that every page opens in: who is signed in, the menu of the level, the place."""

import streamlit as st

from lib.operations import directory
from lib.settings import ROOT
from lib.ui import guard, menu, places
from lib.ui.desk import desk

st.set_page_config(
    layout="wide", initial_sidebar_state=244, page_icon=str(ROOT / "data" / "icon.svg")
)
st.logo(str(ROOT / "data" / "logo.svg"), icon_image=str(ROOT / "data" / "icon.svg"))

with guard.telling():
    actor = guard.sign_in(menu.declare_hidden)
    services = directory.services(desk().engine)
    declared = menu.declare(services)
    places.adopt_url()
    url_path = menu.open_page(declared)
    places.arrive(url_path)
    if menu.is_below(actor, url_path):
        # Before the menu: the browser puts the query that it knows behind the page's address. The
        # other way round it makes two entries in its history, and Back is caught between them.
        places.write_url()
    page = st.navigation(menu.sections(actor, url_path, services, declared), expanded=True)
    page.run()
