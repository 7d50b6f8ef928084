"""Streamlit's server: its files, its options, and what it knows of a connection."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
    """Return `sha256-…` of each script in Streamlit's own page, which has no other inline ones."""
    page = Path(file_util.get_static_dir(), "index.html").read_bytes()
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    return [f"sha256-{base64.b64encode(digest).decode()}" for digest in digests]


def static_files() -> frozenset[str]:
    """Return the addresses of Streamlit's own scripts, styles and fonts; its page is not one."""
    folder = Path(file_util.get_static_dir())
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return frozenset(f"/{file}" for file in files if file != "index.html")


def base_path() -> str:
    """Return the path below which the server is to answer; empty for none."""
    return str(config.get_option("server.baseUrlPath")).strip("/")


def session_storage(has_person: Callable[[Mapping[str, Any]], bool]) -> SignedInSessions:
    """Return where closed sessions wait for their reconnect: those that have a person."""
    return SignedInSessions(config.get_option("server.disconnectedSessionTTL"), has_person)


def allow_host(host: str) -> None:
    """Answer to this host name as well: it is the one that the identity provider sends back to."""
    allowed = config.get_option("server.allowedHosts")
    if allowed and host not in allowed:
        config.set_option("server.allowedHosts", [*allowed, host])


def hide_welcome_message() -> None:
    """Keep Streamlit's offer to developers off the page; the terminal still shows the address."""
    config.set_option("logger.hideWelcomeMessage", value=True)


def run_headless() -> None:
    """Make Streamlit headless, unless a flag or variable of whoever starts it says otherwise."""
    if config.get_where_defined("server.headless") != config._DEFINED_BY_FLAG:  # noqa: SLF001
        config.set_option("server.headless", value=True)


def bind_sessions_to_header(header: str) -> None:
    """Make Streamlit take up an earlier session only for whom this header named then, too."""
    config.set_option("server.trustedUserHeaders", {header: "named_by_proxy"})


def claims_of(connection: HTTPConnection) -> dict[str, Any] | None:
    """Return the claims in Streamlit's signed cookie; None without one, or with a wrong signature.

    Streamlit reads the cookie for its WebSocket only; here it is read for a download.
    """

    def unsigned(name: str) -> bytes | None:
        value = connection.cookies.get(name)
        if value is None:
            return None
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1", "replace"))

    cookie = get_cookie_with_chunks(unsigned, USER_COOKIE)
    claims = json.loads(cookie) if cookie else None
    return claims if isinstance(claims, dict) and claims.get("is_logged_in") else None


def headers_of_session(session_id: str) -> list[tuple[str, str]]:
    """Return the headers with which a browser session connected; none once it is closed."""
    client = get_instance().get_client(session_id)
    context = client.client_context if client else None
    return list(context.headers) if context else []


def is_host_allowed(host: str | None) -> bool:
    """Tell whether Streamlit answers to this `Host` (`server.allowedHosts`)."""
    return starlette_websocket.is_host_allowed(host)
