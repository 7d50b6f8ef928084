"""What a browser session keeps, and what is gone after a change of page, place, person or view."""

from dataclasses import dataclass, fields

import pytest
import streamlit as st

from lib.ui import session as sessions
from lib.ui.session import Pagers, PagerState, Session, page_state, session

#: What survives. A field that is added to Session must be named here, with its reason.
SURVIVES = {
    "username": "the sign-in",
    "place": "the place in the URL",
    "last_url": "the place in the URL",
    "last_page": "to see a change of page",
    "proxy_name": "the sign-in",
    "holder": "whose one-time secrets these are",
    "closed_exports": "a closed receipt does not come back",
    "recorded_refusals": "each refusal is recorded once a session",
    "open_confirmation": "an executed download: its result appears when the person comes back",
    "approved_plan": "on its way from Activity to the API Tokens page",
    "errand": "on its way from a saved view to the API Tokens page, one place after the other",
    "next_page": "on its way to the frame, which opens it",
    "last_number": "a widget's key is never used twice",
}
REPLACED = {"view", "page_states"}


@dataclass
class _Later:
    """The state of a feature that somebody adds later."""

    chosen: str = ""


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a session state of its own, without a browser."""
    monkeypatch.setattr(st, "session_state", {})


class TestPageState:
    """The state of a feature on the open page."""

    def test_what_survives_is_named(self):
        """Everything else in Session is replaced whole."""
        assert {field.name for field in fields(Session)} == set(SURVIVES) | REPLACED

    def test_state_of_a_feature_is_the_same_until_the_page_is_reset(self):
        """A new one has the defaults, whatever fields it has."""
        page_state(_Later).chosen = "t1"
        assert page_state(_Later).chosen == "t1"
        session().reset_page()
        assert page_state(_Later) == _Later()

    def test_another_view_replaces_all_but_the_pagers(self):
        """Back from an operation, the list is at the page that was open."""
        session().open_view("")
        page_state(_Later).chosen = "t1"
        page_state(Pagers).by_name["activity"] = PagerState((), ["e1"])
        session().open_view("")
        assert page_state(_Later).chosen == "t1"
        session().open_view("UTCJF1-1")
        assert page_state(_Later) == _Later()
        assert page_state(Pagers).by_name["activity"].page_starts == ["e1"]

    @pytest.mark.parametrize("old", [None, "text", {"username": "mhale"}, object()])
    def test_a_session_state_of_another_version_is_replaced(self, old):
        """It does no harm, and signs nobody in."""
        st.session_state["session"] = old
        assert not sessions.has_person(st.session_state)
        assert session() == Session()

    def test_numbers_for_keys_go_on_after_a_reset(self):
        """Streamlit must not give an old widget's input to a new one."""
        first = sessions.new_number()
        session().reset_page()
        assert sessions.new_number() > first
