"""A WebSocket ends with its sign-in."""

import asyncio

import pytest

from lib.domain.states import Stay
from lib.web.sockets import SocketWatch

MESSAGE = {"type": "websocket.receive", "bytes": b"click"}
CONNECT = {"type": "websocket.connect"}
FAREWELL = [
    {"type": "websocket.send", "bytes": b"reload click"},
    {"type": "websocket.close", "code": 1008},
]
OFFERED = (b"sec-websocket-protocol", b"streamlit, xsrf, session")


class Streamlit:
    """An application that reads until the end, and notes what reached it."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.read: list[dict] = []
        self.protocols = ""

    async def __call__(self, scope, receive, _send) -> None:
        """Read."""
        self.protocols = dict(scope["headers"]).get(b"sec-websocket-protocol", b"").decode()
        while not self.read or self.read[-1]["type"] != "websocket.disconnect":
            self.read.append(await receive())


IN, OUT, OVER = Stay.IN, Stay.OUT, Stay.OVER


def talk(answers: list[Stay], messages: list[dict]) -> tuple[Streamlit, list[dict]]:
    """Send `messages`; how the sign-in stands is answered in turn. Return what came of it."""
    app, told, sent = Streamlit(), iter(answers), []
    waiting = iter([*messages, {"type": "websocket.disconnect"}])

    async def receive():
        return next(waiting)

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/_stcore/stream", "headers": [OFFERED]}
    asyncio.run(
        SocketWatch(app, lambda _: next(told), lambda m: b"reload " + m)(scope, receive, send)
    )
    return app, sent


class TestSocketWatch:
    """No click of a sign-in that has ended reaches Streamlit."""

    def test_while_it_lasts(self):
        """Everything passes, and an earlier session can be taken up again."""
        app, sent = talk([IN] * 3, [CONNECT, MESSAGE, MESSAGE])
        assert [m["type"] for m in app.read].count("websocket.receive") == 2
        assert (app.protocols, sent) == ("streamlit, xsrf, session", [])

    @pytest.mark.parametrize("clicks_before", [0, 1, 5])
    def test_it_closes_at_the_first_click_after_its_end(self, clicks_before):
        """The click is lost; the browser is told to load the page anew."""
        answers = [IN] * (1 + clicks_before) + [OVER]
        app, sent = talk(answers, [CONNECT, *[MESSAGE] * (clicks_before + 1)])
        types = [m["type"] for m in app.read]
        assert types.count("websocket.receive") == clicks_before
        assert types[-1] == "websocket.disconnect"
        assert sent == FAREWELL

    @pytest.mark.parametrize("standing", [OUT, OVER])
    def test_nobody_gets_an_earlier_session(self, standing):
        """Nor what was open in it; but the sign-in page works."""
        app, sent = talk([standing] * 2, [CONNECT, MESSAGE])
        assert app.protocols == "streamlit, xsrf"
        assert (MESSAGE in app.read, sent) == (True, [])

    def test_from_the_first_sight_of_a_sign_in_it_is_watched(self):
        """A new sign-in is seen only when its page has run once."""
        app, sent = talk([OUT, OUT, IN, OVER], [CONNECT, *[MESSAGE] * 3])
        assert app.read.count(MESSAGE) == 2
        assert sent == FAREWELL

    def test_one_that_ended_before_its_second_click(self):
        """It was never seen to last, and is over all the same."""
        app, sent = talk([OUT, OUT, OVER], [CONNECT, *[MESSAGE] * 2])
        assert app.read.count(MESSAGE) == 1
        assert sent == FAREWELL

    def test_a_database_that_cannot_say_ends_it(self):
        """Out is what it says then."""
        app, sent = talk([IN, IN, OUT], [CONNECT, *[MESSAGE] * 2])
        assert app.read.count(MESSAGE) == 1
        assert sent == FAREWELL
