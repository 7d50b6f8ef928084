"""The server under the pages: who is at the other end, and how long a download lives."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, file_util
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import Runtime
from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from lib.domain.errors import DeskError
from lib.domain.states import Stay

LASTS_SECONDS = 60.0
AFTER_FETCH_SECONDS = 5.0  # a browser may ask for the same address twice
_MEDIA = "/media"
_OK = 200
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def inline_scripts() -> list[str]:
    """Return `sha256-…` of each script in Streamlit's own page, which has no other inline ones."""
    page = Path(file_util.get_static_dir(), "index.html").read_bytes()
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    return [f"sha256-{base64.b64encode(digest).decode()}" for digest in digests]


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


def reload(message: bytes) -> bytes:
    """Return what makes the browser load the page anew that sent `message`, place and all."""
    asked = BackMsg()
    with suppress(DecodeError):
        asked.ParseFromString(message)
    # The message of Streamlit's own sign-in and sign-out: go to this address.
    told = ForwardMsg()
    told.auth_redirect.url = f"?{asked.rerun_script.query_string}"
    return bytes(told.SerializeToString())


def claims_of(connection: HTTPConnection) -> dict[str, Any] | None:
    """Return the claims in Streamlit's signed cookie; None without one, or with a wrong signature.

    Streamlit reads the cookie for its WebSocket only; here it is read for a download.
    """

    def unsigned(name: str) -> bytes | None:
        value = connection.cookies.get(name)
        if value is None:
            return None
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1", "replace"))

    cookie = get_cookie_with_chunks(unsigned, USER_COOKIE_NAME)
    claims = json.loads(cookie) if cookie else None
    return claims if isinstance(claims, dict) and claims.get("is_logged_in") else None


def is_in(connection: HTTPConnection) -> bool:
    """Tell whether the browser at the other end is that of somebody who is signed in now."""
    return standing(connection) is Stay.IN


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


class LastingDownloads(MemoryMediaFileStorage):
    """Media storage that keeps a download for 60 s, or 5 s after it was fetched whole.

    Streamlit forgets a deferred download at the second script end of any session, so a slow
    browser, or a busy neighbour, would get 404 after the tokens were replaced. Its collector's
    delete is therefore ignored for downloads; everything else is collected as usual.
    """

    def __init__(
        self,
        endpoint: str = _MEDIA,
        *,
        lasts: float = LASTS_SECONDS,
        after_fetch: float = AFTER_FETCH_SECONDS,
    ) -> None:
        """Keep each download for `lasts` seconds, or `after_fetch` once it was fetched."""
        super().__init__(endpoint)
        self._lasts = lasts
        self._after_fetch = after_fetch
        self._timers: dict[str, threading.Timer] = {}

    def load_and_get_id(
        self,
        path_or_data: str | bytes,
        mimetype: str,
        kind: MediaFileKind,
        filename: str | None = None,
    ) -> str:
        """Add a file; a download's time starts, anew when it was here already."""
        file_id = super().load_and_get_id(path_or_data, mimetype, kind, filename)
        if kind == MediaFileKind.DOWNLOADABLE:
            self._end_in(file_id, self._lasts)
        return file_id

    def delete_file(self, file_id: str) -> None:
        """Delete what is no download; a download waits for its own time."""
        if file_id not in self._timers:
            super().delete_file(file_id)

    def fetched(self, file_id: str) -> None:
        """Let a download end soon, now that a browser has all of it; asking again adds nothing."""
        timer = self._timers.get(file_id)
        if timer and timer.interval != self._after_fetch:
            self._end_in(file_id, self._after_fetch)

    def _end_in(self, file_id: str, seconds: float) -> None:
        earlier = self._timers.get(file_id)
        if earlier:
            earlier.cancel()
        timer = threading.Timer(seconds, lambda: self._end(file_id, timer))
        timer.daemon = True
        self._timers[file_id] = timer
        timer.start()

    def _end(self, file_id: str, timer: threading.Timer) -> None:
        # A timer that could no longer be cancelled does not end a file that was just renewed.
        if self._timers.get(file_id) is timer:
            del self._timers[file_id]
            super().delete_file(file_id)


class FetchWatch:
    """Tell the storage when a download went out whole."""

    def __init__(self, app: ASGIApp, fetched: Callable[[str], None]) -> None:
        """Stand before `app`; `fetched` is called with the id of each file sent whole."""
        self._app = app
        self._fetched = fetched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; count a GET answered with 200 to its last byte."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{_MEDIA}/"):
            await self._app(scope, receive, send)
            return
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            await send(message)
            status = message.get("status", status)
            last = message["type"] == "http.response.body" and not message.get("more_body")
            if last and status == _OK and scope["method"] == "GET":
                self._fetched(scope["path"].rsplit("/", 1)[-1].partition(".")[0])

        await self._app(scope, receive, watch)


def keep_downloads(app: st.App, storage: LastingDownloads) -> None:
    """Make `app` serve its media from `storage`.

    `streamlit run` finds an application by reading `st.App(` in its source, so it cannot be a
    subclass; and st.App has no parameter for the storage, which its routes take from the manager.
    """
    create = app._create_runtime  # noqa: SLF001

    def create_with_storage() -> Runtime:
        runtime = create()
        runtime.media_file_mgr._storage = storage  # noqa: SLF001
        return runtime

    app._create_runtime = create_with_storage  # type: ignore[method-assign]  # noqa: SLF001
