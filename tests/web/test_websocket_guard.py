"""Which messages pass the WebSocket, and from whom."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable

import pytest

from lib.domain.states import SessionStatus
from lib.web.websocket_guard import SIGNED_OUT_BYTES, SocketChecks, WebSocketGuard

CONNECT = {"type": "websocket.connect"}
OFFERED = (b"sec-websocket-protocol", b"streamlit, xsrf, session")
ACTIVE, NONE, ENDED = SessionStatus.ACTIVE, SessionStatus.NONE, SessionStatus.ENDED
UNKNOWN = SessionStatus.UNKNOWN


def frame(name: str) -> dict:
    """Return the message with a frame of this type, or of no type when it is `nonsense`."""
    return {"type": "websocket.receive", "bytes": name.encode()}


CLICK = frame("rerun_script")
FAREWELL = [
    {"type": "websocket.send", "bytes": b"reload rerun_script"},
    {"type": "websocket.close", "code": 1008},
]


class Streamlit:
    """An application that reads until the end, and records what it got."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.read: list[dict] = []
        self.protocols = ""
        self.send: Callable | None = None
        self.connected = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        """Read."""
        self.protocols = dict(scope["headers"]).get(b"sec-websocket-protocol", b"").decode()
        self.send = send
        while not self.read or self.read[-1]["type"] != "websocket.disconnect":
            self.read.append(await receive())
            self.connected.set()

    @property
    def types(self) -> list[str]:
        """The types of the messages that it got."""
        return [message["type"].removeprefix("websocket.") for message in self.read]


def checks(status: Callable[..., SessionStatus]) -> SocketChecks:
    """Return checks for frames whose bytes are the name of their type."""
    return SocketChecks(
        status,
        lambda sent: None if sent == b"nonsense" else sent.decode().strip(),
        lambda sent: b"reload " + sent,
    )


def talk(answers: list[SessionStatus], messages: list[dict]) -> tuple[Streamlit, list[dict]]:
    """Send `messages`, with one of `answers` for each check of the status. Return the result."""
    app, answered, sent = Streamlit(), iter(answers), []
    waiting = iter([*messages, {"type": "websocket.disconnect"}])

    async def receive():
        return next(waiting)

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/_stcore/stream", "headers": [OFFERED]}
    asyncio.run(WebSocketGuard(app, checks(lambda _: next(answered)))(scope, receive, send))
    return app, sent


class TestTheEndOfASignIn:
    """No message of an ended sign-in reaches Streamlit."""

    def test_messages_of_an_active_sign_in_pass(self):
        """And an earlier session can be resumed."""
        app, sent = talk([ACTIVE] * 3, [CONNECT, CLICK, CLICK])
        assert app.types == ["connect", "receive", "receive", "disconnect"]
        assert (app.protocols, sent) == ("streamlit, xsrf, session", [])

    @pytest.mark.parametrize("clicks_before", [0, 1, 5])
    def test_the_first_message_after_the_end_closes_the_connection(self, clicks_before):
        """The message is dropped, and the browser gets the message that reloads the page."""
        answers = [ACTIVE] * (1 + clicks_before) + [ENDED]
        app, sent = talk(answers, [CONNECT, *[CLICK] * (clicks_before + 1)])
        assert app.types == ["connect", *["receive"] * clicks_before, "disconnect"]
        assert sent == FAREWELL

    @pytest.mark.parametrize("status", [NONE, ENDED])
    def test_an_earlier_session_is_not_resumed_without_a_sign_in(self, status):
        """The sign-in page still works."""
        app, sent = talk([status] * 2, [CONNECT, CLICK])
        assert app.protocols == "streamlit, xsrf"
        assert (CLICK in app.read, sent) == (True, [])

    def test_a_new_sign_in_is_watched_from_its_first_page(self):
        """It gets its row only when the page has run once."""
        app, sent = talk([NONE, NONE, ACTIVE, ENDED], [CONNECT, *[CLICK] * 3])
        assert app.read.count(CLICK) == 2
        assert sent == FAREWELL

    def test_a_sign_in_that_ended_before_its_second_message_closes(self):
        """No check has seen it as active."""
        app, sent = talk([NONE, NONE, ENDED], [CONNECT, *[CLICK] * 2])
        assert app.read.count(CLICK) == 1
        assert sent == FAREWELL

    def test_a_database_that_cannot_be_read_changes_nothing(self):
        """The page says so itself. The first check that succeeds decides."""
        app, sent = talk([ACTIVE, UNKNOWN, UNKNOWN, ACTIVE], [CONNECT, *[CLICK] * 3])
        assert (app.read.count(CLICK), sent) == (3, [])
        app, sent = talk([ACTIVE, UNKNOWN, ENDED], [CONNECT, *[CLICK] * 2])
        assert (app.read.count(CLICK), sent) == (1, FAREWELL)

    def test_a_connection_without_a_known_sign_in_gets_no_more_by_a_lost_database(self):
        """It cannot resume a session, and sends what the sign-in page sends."""
        app, sent = talk([UNKNOWN] * 3, [CONNECT, frame("deferred_file"), CLICK])
        assert (app.protocols, sent) == ("streamlit, xsrf", [])
        assert [frame("deferred_file") in app.read, CLICK in app.read] == [False, True]


class TestWhatPagesSend:
    """The allowed messages, with and without a sign-in."""

    @pytest.mark.parametrize(
        ("name", "passes_in", "passes_out"),
        [
            ("rerun_script", True, True),
            ("app_heartbeat", True, True),
            ("stop_script", True, False),
            ("file_urls_request", True, False),
            ("deferred_file", True, False),
            ("clear_cache", False, False),
            ("load_git_info", False, False),
            ("set_run_on_save", False, False),
            ("debug_disconnect_websocket", False, False),
            ("debug_shutdown_runtime", False, False),
            ("install_skills", False, False),
            ("dismiss_skills_nudge", False, False),
            ("dataframe_chunk", False, False),
            ("backend_operation_request", False, False),
            ("", False, False),
        ],
    )
    def test_a_message_passes_or_is_dropped(self, name, passes_in, passes_out):
        """A dropped message does not end the connection: the next one passes."""
        for status, passes in ((ACTIVE, passes_in), (NONE, passes_out)):
            app, sent = talk([status] * 3, [CONNECT, frame(name), frame("app_heartbeat")])
            assert app.read.count(frame(name)) == int(passes) + (name == "app_heartbeat")
            assert app.read.count(frame("app_heartbeat")) >= 1
            assert sent == []

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            (frame("nonsense"), 1002),
            ({"type": "websocket.receive", "text": "hello"}, 1003),
            ({"type": "websocket.receive", "text": "hello", "bytes": None}, 1003),
        ],
    )
    @pytest.mark.parametrize("status", [ACTIVE, NONE])
    def test_a_frame_that_does_not_parse_ends_the_connection(self, message, code, status):
        """Streamlit would log a traceback for each."""
        app, sent = talk([status] * 2, [CONNECT, message, CLICK])
        assert app.types == ["connect", "disconnect"]
        assert sent == [{"type": "websocket.close", "code": code}]

    @pytest.mark.parametrize("size", [SIGNED_OUT_BYTES, SIGNED_OUT_BYTES + 1, 8_000_000])
    def test_a_large_frame_needs_a_sign_in(self, size):
        """Such as the text of a recall. The sign-in page has only buttons."""
        large = {"type": "websocket.receive", "bytes": b"rerun_script".ljust(size)}
        assert talk([ACTIVE] * 2, [CONNECT, large])[0].types == ["connect", "receive", "disconnect"]
        app, sent = talk([NONE] * 2, [CONNECT, large])
        if size > SIGNED_OUT_BYTES:
            assert (app.types, sent) == (
                ["connect", "disconnect"],
                [{"type": "websocket.close", "code": 1009}],
            )
        else:
            assert app.types == ["connect", "receive", "disconnect"]

    def test_plain_http_passes_unchanged(self):
        """The guard is for WebSockets."""
        reached = []

        async def app(scope, _receive, _send):
            reached.append(scope["type"])

        asyncio.run(WebSocketGuard(app, checks(lambda _: NONE))({"type": "http"}, None, None))
        assert reached == ["http"]


class Browser:
    """The other end of a WebSocket that stays open and sends nothing by itself."""

    def __init__(self, name: str) -> None:
        """Belong to a person, or to nobody."""
        self.name = name
        self.sent: list[dict] = []
        self.says: asyncio.Queue[dict] = asyncio.Queue()
        self.app = Streamlit()

    async def send(self, message: dict) -> None:
        """Record what the server sends."""
        self.sent.append(message)

    @property
    def scope(self) -> dict:
        """The scope with which it connects."""
        headers = [OFFERED, (b"x-name", self.name.encode())]
        return {"type": "websocket", "path": "/_stcore/stream", "headers": headers}


class TestHowManyAreNotSignedIn:
    """Connections without a sign-in are limited, and strangers cannot keep all of them."""

    def connect(self, names: list[str], most: int, signing_in: str = "") -> list[Browser]:
        """Connect `names` in turn. `signing_in` sign in before the last one connects."""
        people = {"mhale"}

        def status(connection) -> SessionStatus:
            return ACTIVE if connection.headers["x-name"] in people else NONE

        async def main() -> list[Browser]:
            browsers, tasks = [], []
            guard = WebSocketGuard(
                lambda scope, receive, send: scope["app"](scope, receive, send),
                checks(status),
                most,
            )
            for number, name in enumerate(names):
                if signing_in and number == len(names) - 1:
                    people.add(signing_in)
                browser = Browser(name)
                scope = browser.scope | {"app": browser.app}
                browser.says.put_nowait(CONNECT)
                tasks.append(asyncio.create_task(guard(scope, browser.says.get, browser.send)))
                await asyncio.wait_for(browser.app.connected.wait(), 10)
                browsers.append(browser)
            for browser in browsers:
                browser.says.put_nowait({"type": "websocket.disconnect"})
            await asyncio.wait(tasks, timeout=10)
            assert guard._signed_out == {}
            return browsers

        return asyncio.run(main())

    def closed(self, browsers: list[Browser]) -> list[str]:
        """Return the names whose connections the guard closed."""
        return [b.name for b in browsers if b.sent == [{"type": "websocket.close", "code": 1013}]]

    def test_the_oldest_connection_above_the_limit_is_closed(self):
        """One for each above the limit."""
        browsers = self.connect(["a", "b", "c", "d"], most=2)
        assert self.closed(browsers) == ["a", "b"]
        assert browsers[0].app.types[-1] == "disconnect"

    def test_signed_in_connections_do_not_count(self):
        """However many strangers connect."""
        assert self.closed(self.connect(["mhale", "a", "b", "c"], most=2)) == ["a"]

    def test_a_connection_that_has_signed_in_meanwhile_is_not_closed(self):
        """It has sent nothing yet, but the database knows."""
        assert self.closed(self.connect(["a", "b", "c"], most=2, signing_in="a")) == []

    @pytest.mark.parametrize(("many", "most"), [(300, 100), (100, 1)])
    def test_connections_at_the_same_time_keep_to_the_limit(self, many, most):
        """All others are closed."""
        found: list[int] = []

        async def app(scope, receive, send) -> None:
            found.append(len(guard._signed_out))
            await scope["app"](scope, receive, send)

        async def main() -> list[Browser]:
            browsers, tasks = [Browser(f"{number}") for number in range(many)], []
            for browser in browsers:
                browser.says.put_nowait(CONNECT)
                scope = browser.scope | {"app": browser.app}
                tasks.append(asyncio.create_task(guard(scope, browser.says.get, browser.send)))
            open_ones = set(tasks)
            async with asyncio.timeout(20):
                while len(open_ones) > most:
                    _, open_ones = await asyncio.wait(open_ones, return_when=FIRST_COMPLETED)
                for browser in browsers:
                    await browser.app.connected.wait()
            for browser in browsers:
                browser.says.put_nowait({"type": "websocket.disconnect"})
            await asyncio.wait(tasks, timeout=20)
            return browsers

        guard = WebSocketGuard(app, checks(lambda _: NONE), most)
        browsers = asyncio.run(main())
        assert max(found) <= most
        assert len(self.closed(browsers)) == many - most
        assert guard._signed_out == {}

    def test_nothing_is_sent_after_the_close(self):
        """A script that still runs would send to a closed connection."""
        (first, *_) = self.connect(["a", "b"], most=1)
        asyncio.run(first.app.send({"type": "websocket.send", "bytes": b"late"}))
        assert first.sent == [{"type": "websocket.close", "code": 1013}]
