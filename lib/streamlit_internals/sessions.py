"""Storage of disconnected browser sessions, which a browser can resume."""

from collections.abc import Callable, Mapping
from typing import Any

from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo


class SignedInSessions(MemorySessionStorage):
    """Keeps a disconnected session only if a person is signed in to it.

    Streamlit keeps every session, 128 in all. Strangers could push out the sessions of signed-in
    people, and fill the memory with any state.
    """

    def __init__(self, ttl_seconds: int, has_person: Callable[[Mapping[str, Any]], bool]) -> None:
        """Keep a session for `ttl_seconds` if `has_person` is true of its session state."""
        super().__init__(ttl_seconds=ttl_seconds)
        self._has_person = has_person

    def save(self, session_info: SessionInfo) -> None:
        """Keep a session, or mark it for the shutdown that Streamlit does right after this call."""
        if self._has_person(session_info.session.session_state.filtered_state):
            super().save(session_info)
        else:
            session_info.session.clear_user_info()

    def delete(self, session_id: str) -> None:
        """Delete a session. No error for an unknown one: Streamlit deletes those too."""
        self._cache.pop(session_id, None)
