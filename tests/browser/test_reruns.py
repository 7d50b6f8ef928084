"""What a browser test waits for: the end of the run that answers a click, and of no other run."""

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.support.reruns import Reruns

DIALOG, POLLING = "dialog", "polling"


def request(reruns: Reruns, fragment: str = "", *, by_timer: bool = False) -> None:
    """Send the request of a click, or of a polling fragment's timer."""
    message = BackMsg()
    message.rerun_script.fragment_id = fragment
    message.rerun_script.is_auto_rerun = by_timer
    reruns.sent(message.SerializeToString())


def begin(reruns: Reruns, run: str, *fragments: str) -> None:
    """Receive the begin of a run."""
    message = ForwardMsg()
    message.new_session.name = "app"
    message.metadata.run.script_run_id = run
    message.metadata.run.fragment_ids.extend(fragments)
    reruns.received(message.SerializeToString())


def end(reruns: Reruns, run: str, *, stopped: bool = False, fragment: bool = False) -> None:
    """Receive the end of a run, which may have been stopped for a newer one."""
    message = ForwardMsg()
    message.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
    if fragment:
        message.script_finished = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
    if stopped:
        message.script_finished = ForwardMsg.FINISHED_EARLY_FOR_RERUN
    message.metadata.run.script_run_id = run
    reruns.received(message.SerializeToString())


@pytest.fixture
def reruns() -> Reruns:
    """A page that was opened, answered and drawn."""
    reruns = Reruns()
    request(reruns)
    begin(reruns, "first")
    end(reruns, "first")
    assert (reruns.requested, reruns.pending) == (1, False)
    return reruns


def test_a_click_is_pending_until_its_run_ends(reruns):
    """Sent, begun, ended."""
    request(reruns)
    assert (reruns.requested, reruns.pending) == (2, True)
    begin(reruns, "click")
    assert reruns.pending
    end(reruns, "click")
    assert not reruns.pending


def test_a_polling_fragment_requests_nothing_and_answers_nothing(reruns):
    """Its timer fires before, between and after a click's messages."""
    request(reruns, POLLING, by_timer=True)
    assert (reruns.requested, reruns.pending) == (1, False)
    begin(reruns, "poll", POLLING)
    request(reruns)
    end(reruns, "poll", fragment=True)
    assert reruns.pending
    begin(reruns, "poll again", POLLING)
    end(reruns, "poll again", fragment=True)
    assert reruns.pending
    begin(reruns, "click")
    end(reruns, "click")
    assert not reruns.pending


def test_a_click_in_a_fragment_is_answered_by_a_run_of_that_fragment(reruns):
    """Not by the fragment that polls beside it."""
    request(reruns, DIALOG)
    begin(reruns, "poll", POLLING)
    end(reruns, "poll", fragment=True)
    assert reruns.pending
    begin(reruns, "both", DIALOG, POLLING)
    end(reruns, "both", fragment=True)
    assert not reruns.pending


def test_a_run_that_began_before_a_click_does_not_answer_it(reruns):
    """The second click is sent while the run of the first one goes on."""
    request(reruns)
    begin(reruns, "first click")
    request(reruns)
    end(reruns, "first click")
    assert reruns.pending
    begin(reruns, "second click")
    end(reruns, "second click")
    assert not reruns.pending


def test_one_run_answers_two_clicks_that_were_sent_before_it(reruns):
    """Streamlit puts requests that wait together."""
    request(reruns)
    request(reruns)
    begin(reruns, "both")
    end(reruns, "both")
    assert not reruns.pending


def test_a_run_that_is_stopped_for_a_newer_one_answers_nothing(reruns):
    """The newer one does; `st.rerun` works like this, too."""
    request(reruns, DIALOG)
    begin(reruns, "stopped", DIALOG)
    end(reruns, "stopped", stopped=True)
    assert reruns.pending
    begin(reruns, "newer")
    end(reruns, "newer")
    assert not reruns.pending


def test_an_end_without_a_begin_answers_what_was_sent_before(reruns):
    """Streamlit sends it when it could not even begin: the page shows the error."""
    request(reruns)
    end(reruns, "never begun")
    assert not reruns.pending
