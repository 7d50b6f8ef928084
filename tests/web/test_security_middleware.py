"""What every connection passes before Streamlit."""

import asyncio

import pytest

from lib.web.security_middleware import (
    DEMO_ONLY_HERE,
    PROXY_ONLY_HERE,
    LoopbackGate,
    OriginGate,
    SecurityHeaders,
    security_policy,
)

POLICY = security_policy(["sha256-abc=", "sha256-def="])

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


def demo_gate(app) -> LoopbackGate:
    """Return the gate of demo mode."""
    return LoopbackGate(app, DEMO_ONLY_HERE)


def with_headers(app, *, https: bool = False) -> SecurityHeaders:
    """Return the middleware with a policy."""
    return SecurityHeaders(app, POLICY, https=https)


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
        ask(demo_gate(app), type=kind, server=server)
        assert app.reached

    @pytest.mark.parametrize("server", ELSEWHERE)
    def test_a_request_from_elsewhere_is_refused(self, server):
        """403, with a sentence that names the setting; the dashboard is not reached."""
        app = App()
        start, body = ask(demo_gate(app), type="http", server=server)
        assert (app.reached, start["status"]) == (False, 403)
        assert b"set TOKEN_DESK_DEMO=1" in body["body"]

    @pytest.mark.parametrize("server", ELSEWHERE)
    def test_a_websocket_from_elsewhere_is_closed(self, server):
        """Policy violation, before it is accepted."""
        app = App()
        answer = ask(demo_gate(app), type="websocket", server=server)
        assert (app.reached, answer) == (
            False,
            [{"type": "websocket.close", "code": 1008, "reason": "refused"}],
        )

    def test_a_scope_without_a_server_is_refused(self):
        """Unknown means refused."""
        app = App()
        (start, _) = ask(demo_gate(app), type="http")
        assert (app.reached, start["status"]) == (False, 403)

    def test_the_refusal_fits_the_mode(self):
        """Behind a proxy nobody is told how to open the demo."""
        _, body = ask(LoopbackGate(App(), PROXY_ONLY_HERE), type="http", server=("10.0.0.5", 80))
        assert body["body"].decode() == PROXY_ONLY_HERE
        assert b"TOKEN_DESK_DEMO" not in body["body"]

    def test_the_host_header_does_not_count(self):
        """Whoever asks writes it."""
        app = App()
        headers = [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")]
        ask(demo_gate(app), type="http", server=("10.0.0.5", 80), headers=headers)
        assert not app.reached

    def test_starting_and_stopping_pass(self):
        """The server's own lifespan messages have no address."""
        app = App()
        ask(demo_gate(app), type="lifespan")
        assert app.reached


class TestSecurityHeaders:
    """Headers on every answer."""

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/_stcore/health", "/mediation"])
    def test_each_answer_has_them(self, path):
        """The answer's own headers stay; nothing is said about caching."""
        answer = ask(with_headers(App()), type="http", path=path)
        headers = headers_of(answer)
        assert headers[:2] == [("content-type", "text/plain"), ("x-own", "1")]
        found = dict(headers)
        assert {name: found[name] for name in found if name.startswith("x-")} == {
            "x-own": "1",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        }
        assert found["referrer-policy"] == "same-origin"
        assert found["cross-origin-opener-policy"] == "same-origin"
        assert "cache-control" not in found
        assert answer[1]["body"] == b"hello"

    def test_nothing_is_loaded_from_elsewhere(self):
        """The policy names no other host, and no frame may hold the dashboard."""
        policy = dict(headers_of(ask(with_headers(App()), type="http")))["content-security-policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'self'"
        assert (rules["frame-ancestors"], rules["object-src"]) == ("'none'", "'none'")
        assert "http:" not in policy
        assert "https:" not in policy
        assert "*" not in policy

    def test_scripts_are_streamlits_own(self):
        """Files of our own, the inline ones by their digest, and none made from text."""
        rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
        assert rules["script-src"] == "'self' 'sha256-abc=' 'sha256-def=' 'wasm-unsafe-eval'"
        assert rules["connect-src"] == "'self' data: blob:"
        assert "'unsafe-eval'" not in POLICY

    @pytest.mark.parametrize("https", [True, False])
    def test_https_for_a_year_where_it_is_there(self, https):
        """A browser that came by http once would not come back otherwise."""
        found = dict(headers_of(ask(with_headers(App(), https=https), type="http")))
        assert found.get("strict-transport-security") == ("max-age=31536000" if https else None)

    def test_downloads_are_not_stored(self):
        """A CSV of tokens stays out of every cache."""
        headers = headers_of(ask(with_headers(App()), type="http", path="/media/abc.csv"))
        assert [value for name, value in headers if name == "cache-control"] == ["no-store"]

    def test_websockets_and_lifespan_pass(self):
        """They have no headers of ours."""
        app = App()
        assert ask(with_headers(app), type="websocket") == [{"type": "websocket.accept"}]
        ask(with_headers(app), type="lifespan")
        assert app.reached


def origin_gate(app) -> OriginGate:
    """Return a gate that knows itself as desk.example.com."""
    return OriginGate(app, lambda host: host is not None and host.startswith("desk.example.com"))


class TestOriginGate:
    """Only our own pages open a WebSocket, and only by a name that we know."""

    @pytest.mark.parametrize("host", ["desk.example.com", "desk.example.com:8501"])
    def test_our_own_page(self, host):
        """Scheme apart, the origin is the host."""
        app = App()
        headers = [(b"host", host.encode()), (b"origin", f"https://{host}".encode())]
        ask(origin_gate(app), type="websocket", headers=headers)
        assert app.reached

    @pytest.mark.parametrize(
        "origins",
        [
            [],
            ["null"],
            [""],
            ["https://evil.example.com"],
            ["https://desk.example.com.evil.example.com"],
            ["https://desk.example.com:444"],
            ["http://localhost:3000"],
            ["file://desk.example.com"],
            ["desk.example.com"],
            ["https://desk.example.com", "https://evil.example.com"],
            ["https://desk.example.com", "https://desk.example.com"],
        ],
    )
    def test_any_other_websocket_is_closed(self, origins):
        """Without Origin, with two, or from elsewhere: closed before it is accepted."""
        app = App()
        headers = [(b"host", b"desk.example.com"), *((b"origin", o.encode()) for o in origins)]
        answer = ask(origin_gate(app), type="websocket", headers=headers)
        assert (app.reached, answer[0]["code"]) == (False, 1008)

    @pytest.mark.parametrize("host", [b"evil.example.com", b"10.0.0.5", None])
    def test_a_strange_host_is_refused(self, host):
        """A name that somebody else made point here (DNS rebinding)."""
        app = App()
        headers = [(b"host", host)] if host else []
        start, body = ask(origin_gate(app), type="http", headers=headers)
        assert (app.reached, start["status"]) == (False, 403)
        assert b"server.allowedHosts" in body["body"]

    @pytest.mark.parametrize(
        "path", ["/_stcore/health", "/healthz", "/readyz", "/api/v1/verify", "/api/v1/verify/x"]
    )
    def test_machines_ask_by_address(self, path):
        """A load balancer and a gateway know no name; a WebSocket is held to it all the same."""
        for kind, reached in (("http", True), ("websocket", False)):
            app = App()
            ask(origin_gate(app), type=kind, path=path, headers=[(b"host", b"10.0.0.5:8501")])
            assert app.reached is reached

    @pytest.mark.parametrize("path", ["/api/v1", "/x/api/v1/verify", "/healthz/x", "/api/v2/x"])
    def test_nothing_else_does(self, path):
        """Only what those routes are."""
        app = App()
        ask(origin_gate(app), type="http", path=path, headers=[(b"host", b"10.0.0.5:8501")])
        assert not app.reached

    def test_starting_and_stopping_pass(self):
        """The server's own lifespan messages have no host."""
        app = App()
        ask(origin_gate(app), type="lifespan")
        assert app.reached
