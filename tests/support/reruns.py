"""Which reruns a page has asked Streamlit for, and which of them are over."""

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_COMPLETED = (
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
)


class Reruns:
    """The requests and runs of one WebSocket, in the order of the browser's messages.

    A run answers the requests that were sent before it began. The run of a fragment answers only
    the requests of that fragment. A run that is stopped for a newer one answers nothing.
    """

    def __init__(self) -> None:
        self.requested = 0
        self._pending: dict[int, str] = {}  # a request's number, and its fragment if it has one
        self._runs: dict[str, tuple[int, frozenset[str]]] = {}

    @property
    def pending(self) -> bool:
        """Whether a request is not answered yet."""
        return bool(self._pending)

    def sent(self, frame: bytes) -> None:
        """Take a message of the page. The timer of a polling fragment is no request."""
        message = BackMsg.FromString(frame)
        if message.HasField("rerun_script") and not message.rerun_script.is_auto_rerun:
            self.requested += 1
            self._pending[self.requested] = message.rerun_script.fragment_id

    def received(self, frame: bytes) -> None:
        """Take a message of the server."""
        message = ForwardMsg.FromString(frame)
        run = message.metadata.run
        if message.HasField("new_session"):
            self._runs[run.script_run_id] = (self.requested, frozenset(run.fragment_ids))
        elif message.HasField("script_finished"):
            began = self._runs.pop(run.script_run_id, (self.requested, frozenset()))
            if message.script_finished in _COMPLETED:
                self._answer(*began)

    def _answer(self, requested: int, fragments: frozenset[str]) -> None:
        self._pending = {
            number: fragment
            for number, fragment in self._pending.items()
            if number > requested or (fragments and fragment not in fragments)
        }
