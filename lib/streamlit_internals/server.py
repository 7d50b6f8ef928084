"""Streamlit's server: its files, its options, its allowed hosts, and facts about a connection."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from streamlit import config, file_util
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.runtime import get_instance
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette import starlette_websocket
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from lib.streamlit_internals.sessions import SignedInSessions
from lib.streamlit_internals.sign_in_cookies import USER_COOKIE

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def inline_scripts() -> list[str]:
    """Return `sha256-…` of each inline script in Streamlit's `index.html`."""
    page = Path(file_util.get_static_dir(), "index.html").read_bytes()
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    return [f"sha256-{base64.b64encode(digest).decode()}" for digest in digests]


def static_files() -> frozenset[str]:
    """Return the paths of Streamlit's own scripts, styles and fonts, without its `index.html`."""
    folder = Path(file_util.get_static_dir())
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return frozenset(f"/{file}" for file in files if file != "index.html")


def base_path() -> str:
    """Return the option `server.baseUrlPath` without slashes at its ends; empty for none."""
    return str(config.get_option("server.baseUrlPath")).strip("/")


def session_storage(has_person: Callable[[Mapping[str, Any]], bool]) -> SignedInSessions:
    """Return the storage for disconnected sessions. It keeps one if `has_person` of it is true."""
    return SignedInSessions(config.get_option("server.disconnectedSessionTTL"), has_person)


def allow_host(host: str) -> None:
    """Add `host` to `server.allowedHosts`: the identity provider sends people back to this name."""
    allowed = config.get_option("server.allowedHosts")
    if allowed and host not in allowed:
        config.set_option("server.allowedHosts", [*allowed, host])


def hide_welcome_message() -> None:
    """Hide Streamlit's hints for developers. The terminal still shows the address."""
    config.set_option("logger.hideWelcomeMessage", value=True)


def run_headless() -> None:
    """Make Streamlit headless, unless a flag or environment variable sets `server.headless`."""
    if config.get_where_defined("server.headless") != config._DEFINED_BY_FLAG:  # noqa: SLF001
        config.set_option("server.headless", value=True)


def bind_sessions_to_header(header: str) -> None:
    """Resume a Streamlit session only for the person whom this header named at its start, too."""
    config.set_option("server.trustedUserHeaders", {header: "named_by_proxy"})


def claims_of(connection: HTTPConnection) -> dict[str, Any] | None:
    """Return the claims in Streamlit's signed cookie; None without one or with a wrong signature.

    Streamlit itself reads the cookie for its WebSocket only. Downloads need it too.
    """

    def unsigned(name: str) -> bytes | None:
        value = connection.cookies.get(name)
        if value is None:
            return None
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1", "replace"))

    cookie = get_cookie_with_chunks(unsigned, USER_COOKIE)
    claims = json.loads(cookie) if cookie else None
    return claims if isinstance(claims, dict) and claims.get("is_logged_in") else None


def headers_of_session(session_id: str) -> list[tuple[str, str]] | None:
    """Return the request headers of a browser session's WebSocket; None when it is closed."""
    client = get_instance().get_client(session_id)
    context = client.client_context if client else None
    return None if context is None else list(context.headers)


def is_reconnected() -> bool:
    """Tell whether the open page was connected before: its WebSocket names an earlier session.

    A page that has just been loaded names none.
    """
    sent = Headers({"Sec-WebSocket-Protocol": st.context.headers.get("Sec-WebSocket-Protocol", "")})
    _, _, earlier = starlette_websocket._parse_subprotocols(sent)  # noqa: SLF001
    return earlier is not None


def is_host_allowed(host: str | None) -> bool:
    """Tell whether Streamlit answers requests with this `Host` header (`server.allowedHosts`)."""
    return starlette_websocket.is_host_allowed(host)
