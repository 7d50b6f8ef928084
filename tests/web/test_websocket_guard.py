"""What comes through the WebSocket, and from whom."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable

import pytest

from lib.domain.states import SessionStatus
from lib.web.websocket_guard import SIGNED_OUT_BYTES, SocketChecks, WebSocketGuard

CONNECT = {"type": "websocket.connect"}
OFFERED = (b"sec-websocket-protocol", b"streamlit, xsrf, session")
ACTIVE, NONE, ENDED = SessionStatus.ACTIVE, SessionStatus.NONE, SessionStatus.ENDED


def frame(name: str) -> dict:
    """Return the message with a frame of this type, or of no type when it is `nonsense`."""
    return {"type": "websocket.receive", "bytes": name.encode()}


CLICK = frame("rerun_script")
FAREWELL = [
    {"type": "websocket.send", "bytes": b"reload rerun_script"},
    {"type": "websocket.close", "code": 1008},
]


class Streamlit:
    """An application that reads until the end, and notes what reached it."""

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
        """What reached it."""
        return [message["type"].removeprefix("websocket.") for message in self.read]


def checks(status: Callable[..., SessionStatus]) -> SocketChecks:
    """Return a checks for frames that are the name of their type."""
    return SocketChecks(
        status,
        lambda sent: None if sent == b"nonsense" else sent.decode().strip(),
        lambda sent: b"reload " + sent,
    )


def talk(answers: list[SessionStatus], messages: list[dict]) -> tuple[Streamlit, list[dict]]:
    """Send `messages`; how the sign-in stands is answered in turn. Return what came of it."""
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
    """No click of a sign-in that has ended reaches Streamlit."""

    def test_while_it_lasts_everything_passes(self):
        """And an earlier session can be taken up again."""
        app, sent = talk([ACTIVE] * 3, [CONNECT, CLICK, CLICK])
        assert app.types == ["connect", "receive", "receive", "disconnect"]
        assert (app.protocols, sent) == ("streamlit, xsrf, session", [])

    @pytest.mark.parametrize("clicks_before", [0, 1, 5])
    def test_it_closes_at_the_first_click_after_its_end(self, clicks_before):
        """The click is lost; the browser is told to load the page anew."""
        answers = [ACTIVE] * (1 + clicks_before) + [ENDED]
        app, sent = talk(answers, [CONNECT, *[CLICK] * (clicks_before + 1)])
        assert app.types == ["connect", *["receive"] * clicks_before, "disconnect"]
        assert sent == FAREWELL

    @pytest.mark.parametrize("status", [NONE, ENDED])
    def test_nobody_gets_an_earlier_session(self, status):
        """Nor what was open in it; but the sign-in page works."""
        app, sent = talk([status] * 2, [CONNECT, CLICK])
        assert app.protocols == "streamlit, xsrf"
        assert (CLICK in app.read, sent) == (True, [])

    def test_from_the_first_sight_of_a_sign_in_it_is_watched(self):
        """A new sign-in is seen only when its page has run once."""
        app, sent = talk([NONE, NONE, ACTIVE, ENDED], [CONNECT, *[CLICK] * 3])
        assert app.read.count(CLICK) == 2
        assert sent == FAREWELL

    def test_one_that_ended_before_its_second_click(self):
        """It was never seen to last, and is over all the same."""
        app, sent = talk([NONE, NONE, ENDED], [CONNECT, *[CLICK] * 2])
        assert app.read.count(CLICK) == 1
        assert sent == FAREWELL

    def test_a_database_that_cannot_say_ends_it(self):
        """Out is what it says then."""
        app, sent = talk([ACTIVE, ACTIVE, NONE], [CONNECT, *[CLICK] * 2])
        assert app.read.count(CLICK) == 1
        assert sent == FAREWELL


class TestWhatPagesSend:
    """The list, for who is signed in and for who is not."""

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
        """What is dropped ends nothing: the next message comes through."""
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
    def test_what_is_no_message_ends_the_connection(self, message, code, status):
        """Streamlit would write a traceback into its log for each."""
        app, sent = talk([status] * 2, [CONNECT, message, CLICK])
        assert app.types == ["connect", "disconnect"]
        assert sent == [{"type": "websocket.close", "code": code}]

    @pytest.mark.parametrize("size", [SIGNED_OUT_BYTES, SIGNED_OUT_BYTES + 1, 8_000_000])
    def test_a_large_frame_is_for_who_is_signed_in(self, size):
        """A recall of a whole file is one; who is not signed in has only buttons."""
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

    def test_other_connections_pass(self):
        """Plain HTTP is none of its business."""
        reached = []

        async def app(scope, _receive, _send):
            reached.append(scope["type"])

        asyncio.run(WebSocketGuard(app, checks(lambda _: NONE))({"type": "http"}, None, None))
        assert reached == ["http"]


class Browser:
    """The other end of a WebSocket that stays open, and says nothing by itself."""

    def __init__(self, name: str) -> None:
        """Stand for a person, or for nobody."""
        self.name = name
        self.sent: list[dict] = []
        self.says: asyncio.Queue[dict] = asyncio.Queue()
        self.app = Streamlit()

    async def send(self, message: dict) -> None:
        """Take what the server sends."""
        self.sent.append(message)

    @property
    def scope(self) -> dict:
        """What it connects with."""
        headers = [OFFERED, (b"x-name", self.name.encode())]
        return {"type": "websocket", "path": "/_stcore/stream", "headers": headers}


class TestHowManyAreNotSignedIn:
    """A stranger cannot keep the places of all others."""

    def connect(self, names: list[str], most: int, signing_in: str = "") -> list[Browser]:
        """Connect them one after the other; `signing_in` does so before the last one comes."""
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
        """Return whose connections were closed from here."""
        return [b.name for b in browsers if b.sent == [{"type": "websocket.close", "code": 1013}]]

    def test_the_oldest_is_closed(self):
        """For each one that is too many."""
        browsers = self.connect(["a", "b", "c", "d"], most=2)
        assert self.closed(browsers) == ["a", "b"]
        assert browsers[0].app.types[-1] == "disconnect"

    def test_who_is_signed_in_does_not_count(self):
        """However many strangers come after them."""
        assert self.closed(self.connect(["mhale", "a", "b", "c"], most=2)) == ["a"]

    def test_who_has_signed_in_since_is_not_closed(self):
        """They clicked nothing yet; the database knows."""
        assert self.closed(self.connect(["a", "b", "c"], most=2, signing_in="a")) == []

    @pytest.mark.parametrize(("many", "most"), [(300, 100), (100, 1)])
    def test_many_who_come_at_once_are_never_more_than_the_limit(self, many, most):
        """Whoever is let in finds the limit kept, and all others are closed."""
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

    def test_nothing_is_sent_after_the_end(self):
        """A script that still runs would send into a closed connection."""
        (first, *_) = self.connect(["a", "b"], most=1)
        asyncio.run(first.app.send({"type": "websocket.send", "bytes": b"late"}))
        assert first.sent == [{"type": "websocket.close", "code": 1013}]
