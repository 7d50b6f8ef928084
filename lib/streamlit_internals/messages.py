"""Messages between the browser and Streamlit on the WebSocket."""

from contextlib import suppress

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_OPERATION = "backend_operation_request"


def message_type(frame: bytes) -> str | None:
    """Return the type of a frame's message, such as `rerun_script`; None if it does not parse.

    For a backend operation it is the payload's type, such as `deferred_file`. An unknown type is
    empty.
    """
    message = BackMsg()
    try:
        message.ParseFromString(frame)
    except DecodeError:
        return None
    name = message.WhichOneof("type") or ""
    if name == _OPERATION:
        return message.backend_operation_request.WhichOneof("payload") or ""
    return name


def reload_page(frame: bytes) -> bytes:
    """Return the message that makes the browser reload its page.

    `frame` is the message that the browser sent last. A rerun has the page's query string, which
    is kept. After another message, such as the click on a download, the browser reloads the
    address that it shows.
    """
    # Streamlit's own sign-in and sign-out send this message: go to this address.
    reload = ForwardMsg()
    reload.auth_redirect.url = ""
    message = BackMsg()
    with suppress(DecodeError):
        message.ParseFromString(frame)
    if message.HasField("rerun_script"):
        reload.auth_redirect.url = f"?{message.rerun_script.query_string}"
    return bytes(reload.SerializeToString())
