"""What the tokens page says of an export after a reload: a new browser session."""

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from lib.operations.secret_retention import SecretKey
from lib.ui.app_context import app_context
from lib.ui.navigation import scope
from tests.pages.test_api_tokens import (
    choose,
    download_of,
    export,
    has,
    mentions,
    open_tokens,
    press,
    run,
    state_of,
)
from tests.support.actions import Action, everything
from tests.support.directory import ADMIN, build

pytestmark = pytest.mark.usefixtures("users")


@pytest.fixture
def users(empty: Engine) -> list[str]:
    """Five users without tokens."""
    return build(empty, 5)


def badges(at: AppTest) -> str:
    """Return the page's Markdown: a badge is Markdown, too."""
    return " ".join(markdown.value for markdown in at.markdown)


class TestReload:
    """Demo mode: the new session has another holder, so the file is not for it."""

    def test_receipt_of_a_csv_that_was_not_sent_is_there_without_the_file(self):
        """It says what helps."""
        export(open_tokens())
        at = open_tokens()
        assert state_of(at).finished_operation.receipt.changed == 5
        assert "CSV not sent" in badges(at)
        assert mentions(at, "The CSV was not sent, and it is no longer kept. If you do not have")
        assert not at.download_button

    def test_receipt_of_a_csv_that_was_sent_is_not_there(self):
        """The person has the file."""
        before = open_tokens()
        press(choose(before, Action.GENERATE), "confirm_next")
        download = download_of(before)
        download()
        download.sent()
        assert state_of(open_tokens()).finished_operation is None

    def test_receipt_says_when_the_csv_was_sent(self):
        """And when it was sent again."""
        at = open_tokens()
        export(at)
        assert "CSV not sent" in badges(at)
        for words in ("CSV sent", "CSV sent again"):
            state_of(at).finished_operation.export.sent()
            assert f"{words}]" in badges(run(at))

    def test_done_closes_the_receipt_of_an_unsent_csv_for_good(self):
        """In this browser session."""
        export(open_tokens())
        at = press(open_tokens(), "tokens_done")
        assert not has(run(at), "tokens_done")

    def test_export_that_still_runs_is_named_until_its_receipt_is_there(self):
        """A click was made, the page was reloaded, and the server works on."""
        key = SecretKey("gone", ADMIN.username, "operation")
        with app_context().one_time_secrets.being_made(key):
            at = open_tokens()
            assert mentions(at, "An export that you confirmed is still running.")
        assert not mentions(run(at), "still running")

    def test_reload_before_the_last_click_leaves_everything_as_it_was(self):
        """Both confirmations were open, and the number was typed."""
        at = open_tokens()
        before = everything(app_context().engine)
        press(choose(at, Action.GENERATE), "confirm_next")
        at.text_input(key="confirm_typed").set_value("5").run()
        assert state_of(open_tokens()).finished_operation is None
        assert everything(app_context().engine) == before


class TestNewSession:
    """The page is the old one, and its session is new: the server was restarted, or it was away."""

    SENTENCE = "This page was away for more than ten minutes"

    def test_a_page_that_lost_its_session_says_so_once(self, monkeypatch):
        """The next click has a session again."""
        monkeypatch.setattr(scope, "is_reconnected", lambda: True)
        at = open_tokens()
        assert mentions(at, self.SENTENCE)
        assert not mentions(run(at), self.SENTENCE)

    def test_a_page_that_was_just_loaded_says_nothing(self):
        """There was no earlier session."""
        assert not mentions(open_tokens(), self.SENTENCE)
