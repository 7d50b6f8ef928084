"""What every connection passes before Streamlit."""

import asyncio

import pytest

from lib.web.gate import LoopbackGate, SecurityHeaders

LOOPBACK = [("127.0.0.1", 8501), ("127.8.9.10", 80), ("::1", 8501), ("::ffff:127.0.0.1", 8501)]
ELSEWHERE = [
    ("10.0.0.5", 8501),
    ("0.0.0.0", 8501),  # noqa: S104 - an address to refuse
    ("::", 8501),
    ("192.168.1.7", 80),
    ("fe80::1", 8501),
    ("::ffff:10.0.0.5", 8501),
    ("localhost.example.com", 80),
    ("/run/desk.sock", None),
    ("", None),
    None,
]


class App:
    """An application that answers 200, or accepts a WebSocket, and notes that it was reached."""

    def __init__(self) -> None:
        """Start unreached."""
        self.reached = False

    async def __call__(self, scope, _receive, send) -> None:
        """Answer."""
        self.reached = True
        if scope["type"] == "http":
            headers = [(b"content-type", b"text/plain"), (b"x-own", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"hello"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})


def ask(app, **scope) -> list[dict]:
    """Send one request through `app` and return what was answered."""
    sent = []

    async def receive():
        return {"type": "websocket.connect" if scope["type"] == "websocket" else "http.request"}

    async def send(message):
        sent.append(message)

    asyncio.run(app({"path": "/", "method": "GET", "headers": []} | scope, receive, send))
    return sent


def headers_of(answer: list[dict]) -> list[tuple[str, str]]:
    """Return the headers of an answer."""
    return [(name.decode(), value.decode()) for name, value in answer[0]["headers"]]


class TestLoopbackGate:
    """Demo mode is for this machine only, judged by the address the connection came in on."""

    @pytest.mark.parametrize("server", LOOPBACK)
    @pytest.mark.parametrize("kind", ["http", "websocket"])
    def test_loopback_is_let_through(self, kind, server):
        """IPv4, IPv6, and IPv4 written as IPv6."""
        app = App()
        ask(LoopbackGate(app), type=kind, server=server)
        assert app.reached

    @pytest.mark.parametrize("server", ELSEWHERE)
    def test_a_request_from_elsewhere_is_refused(self, server):
        """403, with a sentence that names the setting; the dashboard is not reached."""
        app = App()
        start, body = ask(LoopbackGate(app), type="http", server=server)
        assert (app.reached, start["status"]) == (False, 403)
        assert b"set TOKEN_DESK_DEMO=1" in body["body"]

    @pytest.mark.parametrize("server", ELSEWHERE)
    def test_a_websocket_from_elsewhere_is_closed(self, server):
        """Policy violation, before it is accepted."""
        app = App()
        answer = ask(LoopbackGate(app), type="websocket", server=server)
        assert (app.reached, answer) == (
            False,
            [{"type": "websocket.close", "code": 1008, "reason": "demo mode"}],
        )

    def test_a_scope_without_a_server_is_refused(self):
        """Unknown means refused."""
        app = App()
        (start, _) = ask(LoopbackGate(app), type="http")
        assert (app.reached, start["status"]) == (False, 403)

    def test_the_host_header_does_not_count(self):
        """Whoever asks writes it."""
        app = App()
        headers = [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")]
        ask(LoopbackGate(app), type="http", server=("10.0.0.5", 80), headers=headers)
        assert not app.reached

    def test_starting_and_stopping_pass(self):
        """The server's own lifespan messages have no address."""
        app = App()
        ask(LoopbackGate(app), type="lifespan")
        assert app.reached


class TestSecurityHeaders:
    """Headers on every answer."""

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/_stcore/health", "/mediation"])
    def test_each_answer_has_them(self, path):
        """The answer's own headers stay; nothing is said about caching."""
        answer = ask(SecurityHeaders(App()), type="http", path=path)
        headers = headers_of(answer)
        assert headers[:2] == [("content-type", "text/plain"), ("x-own", "1")]
        found = dict(headers)
        assert {name: found[name] for name in found if name.startswith("x-")} == {
            "x-own": "1",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        }
        assert found["referrer-policy"] == "no-referrer"
        assert found["cross-origin-opener-policy"] == "same-origin"
        assert "cache-control" not in found
        assert answer[1]["body"] == b"hello"

    def test_nothing_is_loaded_from_elsewhere(self):
        """The policy names no other host, and no frame may hold the dashboard."""
        policy = dict(headers_of(ask(SecurityHeaders(App()), type="http")))[
            "content-security-policy"
        ]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'self'"
        assert (rules["frame-ancestors"], rules["object-src"]) == ("'none'", "'none'")
        assert "http:" not in policy
        assert "https:" not in policy
        assert "*" not in policy

    def test_downloads_are_not_stored(self):
        """A CSV of tokens stays out of every cache."""
        headers = headers_of(ask(SecurityHeaders(App()), type="http", path="/media/abc.csv"))
        assert [value for name, value in headers if name == "cache-control"] == ["no-store"]

    def test_websockets_and_lifespan_pass(self):
        """They have no headers of ours."""
        app = App()
        assert ask(SecurityHeaders(app), type="websocket") == [{"type": "websocket.accept"}]
        ask(SecurityHeaders(app), type="lifespan")
        assert app.reached
