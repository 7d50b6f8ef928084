"""The server under the pages: who is at the other end, and what it answers to."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection
from streamlit import config, file_util
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.runtime import get_instance
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from lib.domain.errors import DeskError
from lib.domain.states import Stay
from lib.settings import UnsafeSettings
from lib.streamlit_internals.downloads import DownloadStorage, file_id_of
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


def refuse_base_path() -> None:
    """Stop the start when the server is to answer below a path. Raises UnsafeSettings."""
    base = str(config.get_option("server.baseUrlPath")).strip("/")
    if base:
        msg = (
            "Token Desk does not start:\n- server.baseUrlPath: Token Desk cannot be served below "
            f"/{base}, since its addresses would not be those that it guards. Leave the setting "
            "empty, and give Token Desk a host name or a port of its own"
        )
        raise UnsafeSettings(msg)


def session_storage() -> SignedInSessions:
    """Return where closed sessions wait for their reconnect."""
    return SignedInSessions(config.get_option("server.disconnectedSessionTTL"), has_person)


def allow_host(host: str) -> None:
    """Answer to this host name as well: it is the one that the identity provider sends back to."""
    allowed = config.get_option("server.allowedHosts")
    if allowed and host not in allowed:
        config.set_option("server.allowedHosts", [*allowed, host])


def advertise_nothing() -> None:
    """Keep Streamlit's offer to developers off the page; the terminal still shows the address."""
    config.set_option("logger.hideWelcomeMessage", value=True)


def open_no_browser() -> None:
    """Make Streamlit headless, unless a flag or variable of whoever starts it says otherwise."""
    if config.get_where_defined("server.headless") != config._DEFINED_BY_FLAG:  # noqa: SLF001
        config.set_option("server.headless", value=True)


def tell_apart_by(header: str) -> None:
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


def may_fetch(storage: DownloadStorage, connection: HTTPConnection) -> bool:
    """Tell whether the download at this address is that of the person at the other end."""
    person = holder(connection)
    return bool(person) and storage.may_fetch(file_id_of(connection.scope["path"]), person)


def holder(connection: HTTPConnection) -> str:
    """Return whose the downloads are that are made at the other end; empty for nobody.

    It is the person who is signed in, or whom the proxy names, while the directory has them. In
    demo mode all are one. Nobody as well when the database cannot say.
    """
    from lib.ui import door  # noqa: PLC0415 - as below

    try:
        return door.holder(claims_of(connection), connection.headers.getlist(door.proxy_header()))
    except DeskError:
        return ""


def holder_of_session(session_id: str) -> str:
    """Return whose the downloads are that a browser session makes; empty when it is closed."""
    client = get_instance().get_client(session_id)
    context = client.client_context if client else None
    if context is None:
        return ""
    headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in context.headers]
    return holder(HTTPConnection({"type": "http", "headers": headers}))


def end_sign_in(connection: HTTPConnection) -> None:
    """End the sign-in of the browser at the other end, if there is one. Raises StoreUnavailable."""
    from lib.ui import door  # noqa: PLC0415 - as below

    claims = claims_of(connection)
    if claims:
        door.end_sign_in(claims, connection.client.host if connection.client else "")


def has_person(state: Mapping[str, Any]) -> bool:
    """Tell whether somebody is signed in in a browser session."""
    from lib.ui.session import has_person as is_known  # noqa: PLC0415 - as below

    return is_known(state)


def may_drop(connection: HTTPConnection) -> bool:
    """Tell whether the person at the other end may drop a file on Recall."""
    from lib.ui import door  # noqa: PLC0415 - as below

    try:
        return door.may_drop(claims_of(connection), connection.headers.getlist(door.proxy_header()))
    except DeskError:
        return False


def standing(connection: HTTPConnection) -> Stay:
    """Return how the sign-in of the browser at the other end stands.

    Out as well when the database cannot say.
    """
    # Half a second, which the start of the server need not wait for.
    from lib.ui import door  # noqa: PLC0415

    claims = claims_of(connection)
    names = connection.headers.getlist(door.proxy_header())
    try:
        return door.standing(claims, names)
    except DeskError:
        return Stay.OUT
