"""What a browser sends to Streamlit over the WebSocket."""

from contextlib import suppress

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_OPERATION = "backend_operation_request"


def message_type(frame: bytes) -> str | None:
    """Return what a frame asks for, such as `rerun_script`; None when it is no message.

    A backend operation is named by its payload, such as `deferred_file`. The name of a type that
    is unknown is empty.
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
    """Return the message that makes the browser load its page anew, place and all.

    `frame` is what the page has sent: a rerun holds the page's query string. After any other, such
    as the click on a download, the browser goes to the address that it has.
    """
    # The message of Streamlit's own sign-in and sign-out: go to this address.
    answer = ForwardMsg()
    answer.auth_redirect.url = ""
    message = BackMsg()
    with suppress(DecodeError):
        message.ParseFromString(frame)
    if message.HasField("rerun_script"):
        answer.auth_redirect.url = f"?{message.rerun_script.query_string}"
    return bytes(answer.SerializeToString())
