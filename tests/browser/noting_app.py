"""The dashboard, with a line in its log for each message that reaches a session: `uvicorn` runs it.

So a test sees what the guard lets through, and what it drops.
"""

import sys

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.app_session import AppSession

from app import app
from lib.streamlit_internals.messages import message_type

__all__ = ["app"]

_handle = AppSession.handle_backmsg


def _note(session: AppSession, message: BackMsg) -> None:
    sys.stderr.write(f"taken: {message_type(message.SerializeToString())}\n")
    _handle(session, message)


AppSession.handle_backmsg = _note
