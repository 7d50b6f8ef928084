"""The dashboard as one ASGI application, for `streamlit run app.py` and `uvicorn app:app`."""

from importlib import import_module
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from lib.domain.claims import SIGNED_IN_AT, claims_needed
from lib.settings import read_settings, refuse_base_path
from lib.streamlit_internals import server
from lib.streamlit_internals.download_observer import DownloadObserver
from lib.streamlit_internals.downloads import DownloadStorage, bind_deferred_files
from lib.streamlit_internals.messages import message_type, reload_page
from lib.streamlit_internals.oidc_client import extend_client
from lib.streamlit_internals.runtime import use_storages
from lib.streamlit_internals.sign_in_cookies import STATE_COOKIE, USER_COOKIE, change_cookies
from lib.streamlit_internals.uploads import LimitedUploads
from lib.ui.auth import connections, providers
from lib.ui.auth.sign_in_pages import FAILED_COOKIE
from lib.ui.components import focus
from lib.ui.navigation import page_registry
from lib.web import return_to, security_middleware
from lib.web.api_endpoints import Api, LazyApi, routes
from lib.web.cookies import CookieLimits
from lib.web.failed_sign_in import FailedSignIn
from lib.web.route_access import AccessChecks, RouteGuard
from lib.web.sign_in_tabs import SignInTabs
from lib.web.sign_out import SignOut
from lib.web.websocket_guard import SocketChecks, WebSocketGuard

_settings = read_settings()
_auth = providers.auth_section(_settings)
_https = providers.is_https(_auth)
_downloads = DownloadStorage(connections.owner_of_session)
_static_files = server.static_files()
refuse_base_path(server.base_path())

# Loopback only: always behind a sign-in proxy; in demo mode unless TOKEN_DESK_DEMO is set.
_loopback_only = []
if _settings.sign_in == "proxy":
    server.bind_sessions_to_header(_settings.proxy_header)
    _loopback_only = [
        Middleware(security_middleware.LoopbackGate, refusal=security_middleware.PROXY_ONLY_HERE)
    ]
elif _settings.demo_mode and not _settings.demo:
    _loopback_only = [
        Middleware(security_middleware.LoopbackGate, refusal=security_middleware.DEMO_ONLY_HERE)
    ]

_oidc_middleware = []
if _auth:
    server.allow_host(providers.own_host(_auth))
    providers.warn_of_claim(_settings.user_claim)
    extend_client(claims_needed(_settings.user_claim))
    change_cookies(SIGNED_IN_AT)
    _oidc_middleware = [
        Middleware(FailedSignIn, signed_in=USER_COOKIE, failed=FAILED_COOKIE),
        Middleware(SignInTabs, cookies=(STATE_COOKIE, return_to.COOKIE)),
        Middleware(return_to.ReturnTo, https=_https),
        Middleware(SignOut, end=connections.end_sign_in, cookie=USER_COOKIE),
    ]


def _is_declared(path: str) -> bool:
    return page_registry.is_page(path) or path in _static_files


def _may_fetch(connection: HTTPConnection) -> bool:
    return connections.may_fetch(_downloads, connection)


def _open_api() -> Api:
    # Imported late: these modules take half a second, and the server should start before that.
    from lib.ui.app_context import app_context  # noqa: PLC0415
    from lib.web.factory import make_api  # noqa: PLC0415

    shared = app_context()
    return make_api(shared.unit_of_work, shared.minting, _settings)


_lazy_api = LazyApi(_open_api)


app = st.App(
    "pages/navigation.py",
    secrets={"auth": _auth} if _auth else None,
    lifespan=_lazy_api.lifespan,
    routes=routes(_lazy_api),
    middleware=[
        Middleware(
            security_middleware.SecurityHeaders,
            policy=security_middleware.security_policy(
                [*server.inline_scripts(), *focus.script_digests()]
            ),
            https=_https,
        ),
        *_loopback_only,
        Middleware(security_middleware.OriginGate, is_known_host=server.is_host_allowed),
        Middleware(
            RouteGuard,
            is_declared=_is_declared,
            checks=AccessChecks(_may_fetch, connections.may_upload),
            signing_in=bool(_auth),
        ),
        Middleware(CookieLimits, seconds=_settings.session_hours * 3600, https=_https),
        *_oidc_middleware,
        Middleware(
            WebSocketGuard,
            checks=SocketChecks(connections.session_status, message_type, reload_page),
        ),
        Middleware(DownloadObserver, fetched=_downloads.fetched),
    ],
)
use_storages(app, _downloads, server.session_storage(connections.has_person), LimitedUploads())
bind_deferred_files()
server.hide_welcome_message()
if not _settings.demo_mode:
    server.run_headless()

# The pages' imports take half a second: done in a thread while the first browser loads its scripts.
Thread(target=import_module, args=("lib.ui.app_context",), daemon=True).start()
