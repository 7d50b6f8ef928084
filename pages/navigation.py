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
    actor = guard.sign_in(lambda: menu.opened(menu.declare()))
    services = directory.services(desk().engine)
    declared = menu.declare(services)
    url_path = menu.opened(declared)
    places.adopt_url()
    places.arrive(url_path)
    page = st.navigation(menu.sections(actor, url_path, services, declared), expanded=True)
    if menu.is_below(actor, url_path):
        places.write_url(service=url_path not in {"contact", "services"})
    page.run()
