"""Which disconnected sessions are kept for a reconnect."""

from types import SimpleNamespace

import pytest
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.session_manager import SessionInfo

from lib.operations.secret_retention import KEPT_SECONDS
from lib.streamlit_internals.server import session_storage
from lib.streamlit_internals.sessions import SignedInSessions
from lib.ui.session import Session, has_person


class Closed:
    """A session that Streamlit has disconnected and wants to keep."""

    def __init__(self, session_id: str, state: dict) -> None:
        """Start with this session state."""
        self.id = session_id
        self.session_state = SimpleNamespace(filtered_state=state)
        self.resumable = True

    def clear_user_info(self) -> None:
        """Mark the session for shutdown, as Streamlit reads it."""
        self.resumable = False


def close(storage: SignedInSessions, session: Closed) -> None:
    """Do what Streamlit's session manager does when a WebSocket closes."""
    storage.save(SessionInfo(client=None, session=session))
    if not session.resumable:
        storage.delete(session.id)


SIGNED_IN = {"session": Session(username="mhale")}


class TestSignedInSessions:
    """Sessions of signed-in people are kept, others are not."""

    def test_a_session_with_a_person_is_kept(self):
        """With all its state."""
        storage, session = SignedInSessions(60, has_person), Closed("s1", SIGNED_IN)
        close(storage, session)
        assert (storage.get("s1").session, session.resumable) == (session, True)

    @pytest.mark.parametrize("state", [{}, {"session": Session()}, {"a": "x" * 1_000}])
    def test_a_session_without_a_person_is_shut_down(self, state):
        """Whatever its state is."""
        storage, session = SignedInSessions(60, has_person), Closed("s1", state)
        close(storage, session)
        assert (storage.list(), session.resumable) == ([], False)

    def test_many_sessions_without_a_person_push_none_out(self):
        """Streamlit keeps 128 sessions in all."""
        storage = SignedInSessions(60, has_person)
        close(storage, Closed("mine", SIGNED_IN))
        for number in range(200):
            close(storage, Closed(f"s{number}", {}))
        assert [kept.session.id for kept in storage.list()] == ["mine"]

    def test_a_disconnected_session_is_kept_as_long_as_its_csv(self):
        """Otherwise a closed lid would lose the receipt of a file that is still there."""
        assert session_storage(has_person)._cache.ttl == KEPT_SECONDS

    def test_streamlits_session_has_the_names_that_the_storage_uses(self):
        """A marked session cannot be resumed, and its state is read without widgets."""
        assert {"clear_user_info", "is_resumable", "session_state"} <= set(dir(AppSession))
