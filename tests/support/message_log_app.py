"""The dashboard, with a line in its log for each message that reaches a session: `uvicorn` runs it.

So a test sees what the guard lets through, and what it drops. Another line says how many sessions
there are, those that wait for a reconnect included.
"""

import sys

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import get_instance
from streamlit.runtime.app_session import AppSession

from app import app
from lib.streamlit_internals.messages import message_type

__all__ = ["app"]

_handle = AppSession.handle_backmsg


def _note(session: AppSession, message: BackMsg) -> None:
    sessions = get_instance()._session_mgr.list_sessions()
    sys.stderr.write(f"sessions: {len(sessions)}\n")
    sys.stderr.write(f"taken: {message_type(message.SerializeToString())}\n")
    _handle(session, message)


AppSession.handle_backmsg = _note
