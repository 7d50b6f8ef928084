"""A program that speaks to the dashboard's WebSocket without a browser."""

from collections.abc import Mapping
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import BackendOperationResponse, ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import PATIENCE, Tab
from tests.support.reruns import Reruns
from tests.support.sign_in import XSRF_COOKIE, cookies_of


def open_websocket(
    address: str,
    origin: str | None,
    headers: list[tuple[str, str]] | None = None,
    xsrf_token: str = "",
):
    """Open the WebSocket as a program would."""
    return connect(
        f"{address.replace('http', 'ws', 1)}/_stcore/stream",
        origin=origin,
        additional_headers=headers or [],
        subprotocols=["streamlit", xsrf_token] if xsrf_token else ["streamlit"],
        max_size=None,
        max_queue=None,  # what nobody reads must not keep the end of the connection from coming
    )


def open_websocket_with(address: str, cookies: Mapping[str, str]):
    """Open the WebSocket as a program that has a browser's cookies."""
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return open_websocket(address, address, [("Cookie", header)], cookies.get(XSRF_COOKIE, ""))


def open_websocket_as(tab: Tab):
    """Open the WebSocket as a program that has the cookies of this tab."""
    return open_websocket_with(tab.address, cookies_of(tab.page.context))


def text_of_page(connection: ClientConnection, url_path: str) -> str:
    """Ask for a page, in a session of its own; return every word that is sent for it."""
    received, reruns = b"", Reruns()
    request = rerun_message(url_path)
    reruns.sent(request)
    connection.send(request)
    while reruns.pending:
        frame = connection.recv(timeout=PATIENCE)
        reruns.received(frame)
        received += frame
    return received.decode("utf-8", "replace")


def rerun_message(url_path: str) -> bytes:
    """Return the message that asks for a page."""
    message = BackMsg()
    message.rerun_script.page_name = url_path
    return message.SerializeToString()


def send_backend_operation(socket: ClientConnection, message: BackMsg) -> BackendOperationResponse:
    """Send a backend operation in a session of its own, and return how it is answered."""
    socket.send(rerun_message("my-api-tokens"))
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
