"""The type of a WebSocket message, and the message that reloads a page."""

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from lib.streamlit_internals.messages import message_type, reload_page
from lib.web.websocket_guard import SIGNED_IN, SIGNED_OUT

#: Every message that a browser can send in Streamlit 1.67. A new version that has another one
#: fails here, and somebody decides.
TYPES = {
    "clear_cache",
    "set_run_on_save",
    "stop_script",
    "rerun_script",
    "load_git_info",
    "debug_disconnect_websocket",
    "debug_shutdown_runtime",
    "file_urls_request",
    "app_heartbeat",
    "backend_operation_request",
}
OPERATIONS = {"deferred_file", "install_skills", "dismiss_skills_nudge", "dataframe_chunk"}


def of_type(name: str) -> bytes:
    """Return a frame of one type, or of a backend operation with that payload."""
    message = BackMsg()
    if name in OPERATIONS:
        getattr(message.backend_operation_request, name).SetInParent()
    elif message.DESCRIPTOR.fields_by_name[name].message_type:
        getattr(message, name).SetInParent()
    else:
        setattr(message, name, True)
    return message.SerializeToString()


class TestMessageType:
    """The type by which the guard decides."""

    def test_every_type_of_the_protocol_is_known(self):
        """The table above has the same types as Streamlit's protocol."""
        message = BackMsg.DESCRIPTOR
        assert {f.name for f in message.oneofs_by_name["type"].fields} == TYPES
        operation = message.fields_by_name["backend_operation_request"].message_type
        assert {f.name for f in operation.oneofs_by_name["payload"].fields} == OPERATIONS

    @pytest.mark.parametrize("name", sorted(TYPES - {"backend_operation_request"} | OPERATIONS))
    def test_a_frame_is_named_by_its_type(self, name):
        """A backend operation by the type of its payload."""
        assert message_type(of_type(name)) == name

    def test_the_guards_lists_are_types_of_the_protocol(self):
        """A misspelt type would let nothing through."""
        assert SIGNED_OUT <= SIGNED_IN <= TYPES | OPERATIONS

    @pytest.mark.parametrize(
        "frame", [b"", b"\xa2\x06\x00", BackMsg(backend_operation_request={}).SerializeToString()]
    )
    def test_an_unknown_type_has_no_name(self, frame):
        """An empty message, an unknown field, and a backend operation without payload."""
        assert message_type(frame) == ""

    @pytest.mark.parametrize("frame", [b"\xff", b"GET / HTTP/1.1", b"\x0a\xff\xff\xff\xff\x0f"])
    def test_a_frame_that_does_not_parse_has_the_type_none(self, frame):
        """The guard closes the connection then."""
        assert message_type(frame) is None


class TestReloadPage:
    """The message that makes a browser reload its page."""

    def test_the_query_string_of_a_rerun_is_kept(self):
        """It is the address of the reload."""
        message = BackMsg()
        message.rerun_script.query_string = "org=UTCJF1&service=erecording"
        answer = ForwardMsg.FromString(reload_page(message.SerializeToString()))
        assert answer.auth_redirect.url == "?org=UTCJF1&service=erecording"

    @pytest.mark.parametrize("frame", [b"\xff", of_type("deferred_file"), of_type("app_heartbeat")])
    def test_another_frame_reloads_the_current_address(self, frame):
        """An empty address means the current one, with its query string."""
        answer = ForwardMsg.FromString(reload_page(frame))
        assert answer.HasField("auth_redirect")
        assert answer.auth_redirect.url == ""
