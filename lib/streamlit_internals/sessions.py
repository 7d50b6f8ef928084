"""Which browser sessions are kept for a reconnect after their WebSocket has closed."""

from collections.abc import Callable, Mapping
from typing import Any

from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo


class SignedInSessions(MemorySessionStorage):
    """Keeps a closed session only when a person is signed in in it.

    Streamlit keeps every one, 128 in all: strangers would push out those of people, and fill the
    memory with state that they made up.
    """

    def __init__(self, ttl_seconds: int, has_person: Callable[[Mapping[str, Any]], bool]) -> None:
        """Keep a session for `ttl_seconds`; `has_person` judges its state."""
        super().__init__(ttl_seconds=ttl_seconds)
        self._has_person = has_person

    def save(self, session_info: SessionInfo) -> None:
        """Keep a session, or mark it so that Streamlit shuts it down right after this call."""
        if self._has_person(session_info.session.session_state.filtered_state):
            super().save(session_info)
        else:
            session_info.session.clear_user_info()

    def delete(self, session_id: str) -> None:
        """Forget a session; Streamlit also asks for one that was not kept."""
        self._cache.pop(session_id, None)
