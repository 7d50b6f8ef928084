"""What `streamlit run app.py` and `uvicorn app:app` find: the dashboard as one application."""

from importlib import import_module
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from lib.settings import read_settings
from lib.ui import providers, server
from lib.web import gate
from lib.web.endpoints import Api, Opened, routes
from lib.web.return_to import ReturnTo
from lib.web.routes import RouteGuard
from lib.web.sockets import SocketWatch

_settings = read_settings()
_auth = providers.auth_section(_settings)
_https = providers.is_https(_auth)
_downloads = server.LastingDownloads()

# In demo mode unless it is shown on purpose, and behind a proxy always: this machine only.
_here = []
if _settings.sign_in == "proxy":
    server.tell_apart_by(_settings.proxy_header)
    _here = [Middleware(gate.LoopbackGate, refusal=gate.PROXY_ONLY_HERE)]
elif _settings.demo_mode and not _settings.demo:
    _here = [Middleware(gate.LoopbackGate, refusal=gate.DEMO_ONLY_HERE)]

_at_a_provider = []
if _auth:
    server.allow_host(providers.own_host(_auth))
    _at_a_provider = [
        Middleware(ReturnTo, https=_https),
        Middleware(SocketWatch, standing=server.standing, reload=server.reload),
    ]


def _open_api() -> Api:
    # The pages import the same: it is taken up once the server has begun.
    from lib.ui.desk import desk  # noqa: PLC0415
    from lib.web.assembly import assemble  # noqa: PLC0415

    shared = desk()
    return assemble(shared.ledger, shared.minting, _settings)


_opened = Opened(_open_api)


app = st.App(
    "pages/navigation.py",
    secrets={"auth": _auth} if _auth else None,
    lifespan=_opened.lifespan,
    routes=routes(_opened),
    middleware=[
        Middleware(
            gate.SecurityHeaders, policy=gate.security_policy(server.inline_scripts()), https=_https
        ),
        *_here,
        Middleware(gate.OriginGate, is_known_host=is_host_allowed),
        Middleware(
            RouteGuard,
            is_in=server.is_in,
            may_drop=server.may_drop,
            signing_in=bool(_auth),
        ),
        *_at_a_provider,
        Middleware(server.FetchWatch, fetched=_downloads.fetched),
    ],
)
server.keep_downloads(app, _downloads)
server.advertise_nothing()
if not _settings.demo_mode:
    server.open_no_browser()

# The pages' own imports take half a second: done while the first browser still loads its scripts.
Thread(target=import_module, args=("lib.ui.desk",), daemon=True).start()
