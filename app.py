"""What `streamlit run app.py` and `uvicorn app:app` find: the dashboard as one application."""

from importlib import import_module
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware

from lib.settings import read_settings
from lib.ui.server import FetchWatch, LastingDownloads, keep_downloads
from lib.web.gate import LoopbackGate, SecurityHeaders

_downloads = LastingDownloads()
_gate = [] if read_settings().demo else [Middleware(LoopbackGate)]

app = st.App(
    "pages/navigation.py",
    middleware=[
        *_gate,
        Middleware(SecurityHeaders),
        Middleware(FetchWatch, fetched=_downloads.fetched),
    ],
)
keep_downloads(app, _downloads)

# The pages' own imports take half a second: done while the first browser still loads its scripts.
Thread(target=import_module, args=("lib.ui.desk",), daemon=True).start()
