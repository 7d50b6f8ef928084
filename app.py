"""What `streamlit run app.py` and `uvicorn app:app` find: the dashboard as one application."""

from importlib import import_module
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from lib.settings import read_settings
from lib.streamlit_internals.downloads import (
    DownloadObserver,
    DownloadStorage,
    bind_deferred_files,
)
from lib.streamlit_internals.messages import message_type, reload_page
from lib.streamlit_internals.runtime import use_storages
from lib.streamlit_internals.sign_in_cookies import USER_COOKIE, drop_access_tokens
from lib.streamlit_internals.uploads import LimitedUploads
from lib.ui import page_registry, providers, server
from lib.web import gate
from lib.web.cookies import CookieLimits
from lib.web.endpoints import Api, Opened, routes
from lib.web.return_to import ReturnTo
from lib.web.routes import AccessChecks, RouteGuard
from lib.web.sign_out import SignOut
from lib.web.websocket_guard import SocketChecks, WebSocketGuard

_settings = read_settings()
_auth = providers.auth_section(_settings)
_https = providers.is_https(_auth)
_downloads = DownloadStorage(server.holder_of_session)
_static_files = server.static_files()
server.refuse_base_path()

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
    drop_access_tokens()
    _at_a_provider = [
        Middleware(ReturnTo, https=_https),
        Middleware(SignOut, end=server.end_sign_in, cookie=USER_COOKIE),
    ]


def _is_declared(path: str) -> bool:
    return page_registry.is_page(path) or path in _static_files


def _may_fetch(connection: HTTPConnection) -> bool:
    return server.may_fetch(_downloads, connection)


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
            is_declared=_is_declared,
            checks=AccessChecks(_may_fetch, server.may_drop),
            signing_in=bool(_auth),
        ),
        Middleware(CookieLimits, seconds=_settings.session_hours * 3600, https=_https),
        *_at_a_provider,
        Middleware(WebSocketGuard, checks=SocketChecks(server.standing, message_type, reload_page)),
        Middleware(DownloadObserver, fetched=_downloads.fetched),
    ],
)
use_storages(app, _downloads, server.session_storage(), LimitedUploads())
bind_deferred_files()
server.advertise_nothing()
if not _settings.demo_mode:
    server.open_no_browser()

# The pages' own imports take half a second: done while the first browser still loads its scripts.
Thread(target=import_module, args=("lib.ui.desk",), daemon=True).start()
