"""Dashboards where people sign in, and what they and forgers do there."""

import json
import re
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from playwright.sync_api import BrowserContext, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import BackendOperationResponse, ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.browser.browsing import PATIENCE, Browsing
from tests.support.dashboards import Dashboard
from tests.support.reruns import Reruns

COOKIE_SECRET = "cookie-secret-of-the-browser-tests"  # noqa: S105 - of nothing else
USER_COOKIE = "_streamlit_user"
XSRF_COOKIE = "_streamlit_xsrf"
TOKENS = "api-tokens?org=UTCJF1&service=erecording"
DAY = 24 * 3600
PEOPLE = {
    "mhale": "API administrator of the demo",
    "adoyle": "a user of the demo",
    "tokeefe": "inactive in the demo",
    "nobody": "unknown to the demo",
}

#: What providers send of people whose sign-ins are not as simple, by the button at the provider.
CLAIMS: dict[str, dict[str, Any]] = {
    "thin": {"preferred_username": "mhale", "only_as_userinfo": ["preferred_username"]},
    "old-iat": {"preferred_username": "mhale", "iat": int(time.time()) - 3600},
    "upper": {"preferred_username": "MHALE"},
    "decomposed": {"preferred_username": " Jose\u0301 "},
    "markup": {"preferred_username": "**x** ![i](https://evil.example.com/i) <b>y</b> $z$"},
    "no-name": {"preferred_username": ["mhale"]},
    "verified": {
        "email": "MHale@TokenDesk.example.com",
        "email_verified": True,
        "only_as_userinfo": ["email", "email_verified"],
    },
    "verified-list": {"email": "mhale@tokendesk.example.com", "email_verified": [True]},
}


def step(sentence: str) -> None:
    """Say what is done next; `pytest -s` shows it."""
    print(f"  · {sentence}")


def sign_in(tab: Browsing, username: str) -> None:
    """Click Sign in, be this person at the provider, and come back."""
    with tab.page_load():
        tab.button("Sign in").click()
        tab.page.wait_for_url("**/oauth2/authorize**")
        tab.page.get_by_role("button", name=username, exact=True).click()
        tab.page.wait_for_url(f"{tab.address}/**")


def sign_out(tab: Browsing, button: str = "Sign out") -> None:
    """Click Sign out, and agree at the provider."""
    with tab.page_load():
        tab.button(button).click()
        tab.page.wait_for_url("**/end_session**")
        tab.page.get_by_role("button", name="End session").click()
        tab.page.wait_for_url(f"{tab.address}/**")


def asks_to_sign_in(tab: Browsing) -> None:
    """Expect the sign-in page, and nothing of anybody's on it."""
    tab.heading("Sign in to Token Desk")
    expect(tab.button("Sign in")).to_be_visible()
    expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(tab.page.get_by_test_id("stDialog")).to_have_count(0)
    expect(tab.page.get_by_text("Juniper County Recorder")).to_have_count(0)


def events(desk: Dashboard, actor: str) -> list[tuple[str, str]]:
    """Return action and detail of what a person did, oldest first."""
    return desk.execute(
        "SELECT action, detail FROM audit_event WHERE actor = :actor ORDER BY event_id",
        actor=actor,
    )


def cookie_of(context: BrowserContext) -> dict[str, Any]:
    """Return the cookie of who is signed in."""
    (cookie,) = [c for c in context.cookies() if c["name"] == USER_COOKIE]
    return cookie


def put_cookie(context: BrowserContext, cookie: dict[str, Any], value: str) -> None:
    """Put the cookie into the browser with another value."""
    context.clear_cookies(name=USER_COOKIE)
    kept = {name: cookie[name] for name in ("name", "domain", "path", "httpOnly", "sameSite")}
    context.add_cookies([kept | {"value": value}])


def claims_in(value: str) -> dict[str, Any]:
    """Return what a signed cookie says; anybody can read it."""
    said = URLSafeTimedSerializer(COOKIE_SECRET, salt=USER_COOKIE).loads(value)
    return json.loads(said)


def signed(claims: dict[str, Any], *, seconds_ago: int = 0, key: str = COOKIE_SECRET) -> str:
    """Return a cookie that was signed some time ago."""

    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - seconds_ago

    serializer = URLSafeTimedSerializer(key, salt=USER_COOKIE, signer=Earlier)
    return str(serializer.dumps(json.dumps(claims)))


def stream(
    desk_address: str,
    origin: str | None,
    headers: list[tuple[str, str]] | None = None,
    xsrf_token: str = "",
):
    """Open the WebSocket as a program would."""
    return connect(
        f"{desk_address.replace('http', 'ws', 1)}/_stcore/stream",
        origin=origin,
        additional_headers=headers or [],
        subprotocols=["streamlit", xsrf_token] if xsrf_token else ["streamlit"],
        max_size=None,
        max_queue=None,  # what nobody reads must not keep the end of the connection from coming
    )


def first_page(
    desk_address: str, headers: list[tuple[str, str]], url_path: str = "organizations"
) -> str:
    """Return every word that a program with these headers is sent for a page."""
    received, reruns = b"", Reruns()
    with stream(desk_address, desk_address, headers) as socket_:
        request = rerun(url_path)
        reruns.sent(request)
        socket_.send(request)
        while reruns.pending:
            frame = socket_.recv(timeout=PATIENCE)
            reruns.received(frame)
            received += frame
    return received.decode("utf-8", "replace")


class Proxy:
    """A sign-in proxy on this machine: it names everybody who comes through it.

    `lines` are the header lines that it adds to each request.
    """

    lines = b""

    def __init__(self, to: str) -> None:
        self._to = ("localhost", int(to.rsplit(":", 1)[1]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # the browser may be gone
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = client.recv(65536)
                if not chunk:  # a browser opens more connections than it uses
                    return
                head += chunk
            with socket.create_connection(self._to) as server:
                server.sendall(self._with_lines(head))
                back = threading.Thread(target=_pump, args=(client, server), daemon=True)
                back.start()
                _pump(server, client)
                back.join()

    def _with_lines(self, head: bytes) -> bytes:
        first, rest = head.split(b"\r\n", 1)
        if b"upgrade: websocket" not in rest.lower():
            rest = re.sub(rb"(?i)connection: [^\r]*\r\n", b"", rest)
            rest = b"Connection: close\r\n" + rest
        return first + b"\r\n" + self.lines + rest


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one side ends; then the other way ends, too."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def stream_of(tab: Browsing):
    """Open the WebSocket as a program that has the cookies of this browser."""
    cookies = {c["name"]: c["value"] for c in tab.page.context.cookies(tab.address)}
    sent = [("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))]
    return stream(tab.address, tab.address, sent, cookies.get(XSRF_COOKIE, ""))


def rerun(url_path: str) -> bytes:
    """Return the message that asks for a page."""
    message = BackMsg()
    message.rerun_script.page_name = url_path
    return message.SerializeToString()


def ask(socket: ClientConnection, message: BackMsg) -> BackendOperationResponse:
    """Send a backend operation in a session of its own, and return how it is answered."""
    socket.send(rerun("my-api-tokens"))
    session_id = _next(socket, "new_session").initialize.session_id
    message.backend_operation_request.session_id = session_id
    socket.send(message.SerializeToString())
    return _next(socket, "backend_operation_response")


def _next(socket: ClientConnection, field: str) -> Any:
    """Return the next message of this kind."""
    while True:
        answer = ForwardMsg.FromString(socket.recv(timeout=PATIENCE))
        if answer.HasField(field):
            return getattr(answer, field)
