"""What the server sees of a download, told apart by where its connection is cut."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Message

from lib.streamlit_internals.download_observer import DownloadObserver

PATH = "/media/abc123.csv"
#: More than the buffers of two sockets on one machine hold.
LARGE = b"x" * 16_000_000
SMALL = b"x" * 1_000


def fetch(
    *messages: Message, method: str = "GET", path: str = PATH, cut: bool = False, mode: str = ""
):
    """Send one request that is answered with `messages`; return the messages and the fetches."""
    fetched: list[str] = []
    sent: list[Message] = []

    async def app(_scope, _receive, send):
        for message in messages:
            assert fetched == []
            await send(message)

    async def receive():
        if not cut:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"sec-fetch-mode", mode.encode())] if mode else []
    scope = {"type": "http", "path": path, "method": method, "headers": headers}
    asyncio.run(DownloadObserver(app, fetched.append)(scope, receive, send))
    return sent, fetched


def start(status: int) -> Message:
    """Return the first message of a response."""
    return {"type": "http.response.start", "status": status, "headers": []}


PART = {"type": "http.response.body", "body": b"a", "more_body": True}
LAST = {"type": "http.response.body", "body": b"b", "more_body": False}


class TestDownloadObserver:
    """A download counts as fetched when its last part was sent."""

    @pytest.mark.parametrize(
        "messages", [(LAST,), (PART, PART, LAST), ({"type": "http.response.body"},)]
    )
    def test_a_complete_response_counts_after_its_last_part(self, messages):
        """In one part or in several."""
        assert fetch(start(200), *messages)[1] == ["abc123"]

    def test_small_messages_pass_as_they_are(self):
        """Each is one part."""
        messages = [start(200), PART, LAST]
        assert fetch(*messages)[0] == messages

    def test_a_large_body_is_sent_in_parts_with_all_of_its_bytes(self):
        """A server takes a body of any size at once, and cannot tell then where it was cut."""
        body = bytes(range(256)) * 1_000
        sent, fetched = fetch(start(200), {"type": "http.response.body", "body": body})
        assert b"".join(message.get("body", b"") for message in sent) == body
        assert [message["more_body"] for message in sent[1:]] == [True] * 3 + [False]
        assert fetched == ["abc123"]

    def test_a_response_on_a_closed_connection_does_not_count(self):
        """The server drops what it is given then."""
        assert fetch(start(200), PART, LAST, cut=True)[1] == []

    @pytest.mark.parametrize("status", [206, 304, 404, 500])
    def test_another_status_than_200_does_not_count(self, status):
        """A part of the file, or none."""
        assert fetch(start(status), LAST)[1] == []

    def test_a_response_without_its_last_part_does_not_count(self):
        """The last byte was not sent."""
        assert fetch(start(200), PART)[1] == []

    @pytest.mark.parametrize(("mode", "counts"), [("navigate", True), ("", True), ("cors", False)])
    def test_the_probe_of_streamlits_script_does_not_count(self, mode, counts):
        """It asks for the file before the browser does, and keeps nothing of it."""
        assert bool(fetch(start(200), LAST, mode=mode)[1]) is counts

    def test_head_does_not_count(self):
        """It has no body."""
        assert fetch(start(200), LAST, method="HEAD")[1] == []

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/mediation/abc.csv"])
    def test_other_paths_do_not_count(self, path):
        """Such as pages."""
        assert fetch(start(200), LAST, path=path)[1] == []

    def test_an_error_while_sending_does_not_count(self):
        """The browser has not got all of it."""
        fetched = []

        async def app(_scope, _receive, send):
            await send(start(200))
            await send(LAST)

        async def broken(message):
            if message["type"] == "http.response.body":
                raise ConnectionResetError

        async def receive():
            await asyncio.Event().wait()

        scope = {"type": "http", "path": PATH, "method": "GET"}
        with pytest.raises(ConnectionResetError):
            asyncio.run(DownloadObserver(app, fetched.append)(scope, receive, broken))
        assert fetched == []

    def test_a_websocket_passes_unchanged(self):
        """Only HTTP is observed."""
        reached = []

        async def app(scope, _receive, _send):
            reached.append(scope["type"])

        asyncio.run(DownloadObserver(app, print)({"type": "websocket", "path": "/"}, None, None))
        assert reached == ["websocket"]


class Served:
    """A running server with one file, and what it saw of its downloads."""

    def __init__(self) -> None:
        """Bind a free port. Nothing is sent yet."""
        self.body = SMALL
        self.answered = threading.Semaphore(0)
        self.fetched: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        observer = DownloadObserver(self._answer, self.fetched.append)

        async def app(scope, receive, send):
            await observer(scope, receive, send)
            self.answered.release()

        self.server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))

    async def _answer(self, scope, receive, send):
        await Response(self.body)(scope, receive, send)

    def is_sent(self, body: bytes, share: float) -> bool:
        """Fetch `body`, cut at `share` of it; tell whether the server counts it as sent."""
        self.body = body
        self.fetched.clear()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
            client.connect(self.listener.getsockname())
            client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: desk\r\n\r\n".encode())
            wanted = int(share * len(body))
            while wanted > 0:
                wanted -= len(client.recv(min(wanted, 65_536)))
            if share == 1:
                assert self.answered.acquire(timeout=30)
        if share < 1:
            assert self.answered.acquire(timeout=30)
        return bool(self.fetched)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Run the server in a thread."""
    served = Served()
    thread = threading.Thread(target=served.server.run, args=([served.listener],), daemon=True)
    thread.start()
    yield served
    served.server.should_exit = True
    thread.join(30)
    with contextlib.suppress(OSError):
        served.listener.close()


def cuts(served: Served, times: int) -> dict[str, int]:
    """Return how many of `times` downloads counted as sent, for each place of the cut."""
    places = {"0 %": 0.0, "50 %": 0.5, "99 %": 0.99, "100 %": 1.0}
    return {
        name: sum(served.is_sent(LARGE, share) for _ in range(times))
        for name, share in places.items()
    }


class TestCuts:
    """A real server and a socket that is closed early."""

    def test_a_cut_at_0_and_50_percent_is_not_sent_and_a_whole_file_is(self, served):
        """At 99 percent the rest is in the buffers of the network, which nobody can look into."""
        seen = cuts(served, 2)
        assert (seen["0 %"], seen["50 %"], seen["100 %"]) == (0, 0, 2)

    def test_a_small_file_is_sent_when_it_was_read(self, served):
        """It fits into one part."""
        assert served.is_sent(SMALL, 1)

    @pytest.mark.soak
    def test_twenty_cuts_at_each_place(self, served, capsys):
        """The same, 20 times each."""
        seen = cuts(served, 20)
        with capsys.disabled():
            print(f"\nsent of 20, by the place of the cut: {seen}")
        assert (seen["0 %"], seen["50 %"], seen["100 %"]) == (0, 0, 20)
