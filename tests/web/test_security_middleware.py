"""Middleware in front of Streamlit."""

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
    """An application that answers 200, or accepts a WebSocket, and records that it was called."""

    def __init__(self) -> None:
        """Start as not called."""
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


def send_through(app, **scope) -> list[dict]:
    """Send one request through `app`. Return the response messages."""
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
    def test_loopback_addresses_pass(self, kind, server):
        """IPv4, IPv6, and IPv4-mapped IPv6."""
        app = App()
        send_through(demo_gate(app), type=kind, server=server)
        assert app.reached

    @pytest.mark.parametrize("server", ELSEWHERE)
    def test_a_request_to_another_address_is_403(self, server):
        """The text names the setting. The application is not called."""
        app = App()
        start, body = send_through(demo_gate(app), type="http", server=server)
        assert (app.reached, start["status"]) == (False, 403)
        assert b"set TOKEN_DESK_DEMO=1" in body["body"]

    @pytest.mark.parametrize("server", ELSEWHERE)
    def test_a_websocket_to_another_address_is_closed(self, server):
        """As a policy violation, before it is accepted."""
        app = App()
        answer = send_through(demo_gate(app), type="websocket", server=server)
        assert (app.reached, answer) == (
            False,
            [{"type": "websocket.close", "code": 1008, "reason": "refused"}],
        )

    def test_a_scope_without_a_server_is_refused(self):
        """An unknown address is no loopback address."""
        app = App()
        (start, _) = send_through(demo_gate(app), type="http")
        assert (app.reached, start["status"]) == (False, 403)

    def test_the_text_of_the_refusal_depends_on_the_mode(self):
        """Behind a proxy it does not say how to open the demo."""
        _, body = send_through(
            LoopbackGate(App(), PROXY_ONLY_HERE), type="http", server=("10.0.0.5", 80)
        )
        assert body["body"].decode() == PROXY_ONLY_HERE
        assert b"TOKEN_DESK_DEMO" not in body["body"]

    def test_the_host_header_does_not_open_the_gate(self):
        """The client writes it."""
        app = App()
        headers = [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")]
        send_through(demo_gate(app), type="http", server=("10.0.0.5", 80), headers=headers)
        assert not app.reached

    def test_lifespan_messages_pass_the_loopback_gate(self):
        """They have no address."""
        app = App()
        send_through(demo_gate(app), type="lifespan")
        assert app.reached


class TestSecurityHeaders:
    """Headers on every answer."""

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/_stcore/health", "/mediation"])
    def test_every_response_has_the_security_headers(self, path):
        """Its own headers stay. Cache-Control is not added."""
        answer = send_through(with_headers(App()), type="http", path=path)
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

    def test_the_policy_names_no_other_host(self):
        """No frame may hold the dashboard."""
        policy = dict(headers_of(send_through(with_headers(App()), type="http")))[
            "content-security-policy"
        ]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'self'"
        assert (rules["frame-ancestors"], rules["object-src"]) == ("'none'", "'none'")
        assert "http:" not in policy
        assert "https:" not in policy
        assert "*" not in policy

    def test_the_policy_allows_only_streamlits_own_scripts(self):
        """Files of our server, inline scripts by their hash, and no eval."""
        rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
        assert rules["script-src"] == "'self' 'sha256-abc=' 'sha256-def=' 'wasm-unsafe-eval'"
        assert rules["connect-src"] == "'self' data: blob:"
        assert "'unsafe-eval'" not in POLICY

    @pytest.mark.parametrize("https", [True, False])
    def test_hsts_is_sent_with_https_only(self, https):
        """For a year."""
        found = dict(headers_of(send_through(with_headers(App(), https=https), type="http")))
        assert found.get("strict-transport-security") == ("max-age=31536000" if https else None)

    def test_downloads_have_no_store(self):
        """A CSV of tokens stays out of every cache."""
        headers = headers_of(send_through(with_headers(App()), type="http", path="/media/abc.csv"))
        assert [value for name, value in headers if name == "cache-control"] == ["no-store"]

    def test_websockets_and_lifespan_are_unchanged(self):
        """They have no such headers."""
        app = App()
        assert send_through(with_headers(app), type="websocket") == [{"type": "websocket.accept"}]
        send_through(with_headers(app), type="lifespan")
        assert app.reached


def origin_gate(app) -> OriginGate:
    """Return a gate whose host is desk.example.com."""
    return OriginGate(app, lambda host: host is not None and host.startswith("desk.example.com"))


class TestOriginGate:
    """Only our own pages open a WebSocket, and only under a known host name."""

    @pytest.mark.parametrize("host", ["desk.example.com", "desk.example.com:8501"])
    def test_a_websocket_of_our_own_page_passes(self, host):
        """The origin is the host, with a scheme."""
        app = App()
        headers = [(b"host", host.encode()), (b"origin", f"https://{host}".encode())]
        send_through(origin_gate(app), type="websocket", headers=headers)
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
    def test_a_websocket_of_another_origin_is_closed(self, origins):
        """Also without Origin, or with two. Before it is accepted."""
        app = App()
        headers = [(b"host", b"desk.example.com"), *((b"origin", o.encode()) for o in origins)]
        answer = send_through(origin_gate(app), type="websocket", headers=headers)
        assert (app.reached, answer[0]["code"]) == (False, 1008)

    @pytest.mark.parametrize(
        ("host", "origin", "passes"),
        [
            ("desk.example.com:443", "https://desk.example.com", True),
            ("desk.example.com", "https://desk.example.com:443", True),
            ("desk.example.com:80", "http://desk.example.com", True),
            ("Desk.Example.com", "https://desk.example.com", True),
            ("desk.example.com:80", "https://desk.example.com", False),
            ("desk.example.com:443", "http://desk.example.com", False),
            ("desk.example.com:4430", "https://desk.example.com", False),
            ("desk.example.com", "https://desk.example.com:8443", False),
        ],
    )
    def test_the_default_port_of_a_scheme_equals_no_port(self, host, origin, passes):
        """Streamlit gets the host as the origin writes it, since it compares letter by letter."""
        seen = []

        async def app(scope, _receive, _send) -> None:
            seen.append(dict(scope["headers"])[b"host"].decode())

        gate = OriginGate(app, lambda _: True)
        headers = [(b"host", host.encode()), (b"origin", origin.encode())]
        send_through(gate, type="websocket", headers=headers)
        assert seen == ([origin.partition("://")[2]] if passes else [])

    def test_a_refused_websocket_is_logged_once_a_minute_with_the_fix(self, caplog):
        """Origin, host, and what nginx must pass on."""
        now = [0.0]
        gate = OriginGate(App(), lambda _: True, lambda: now[0])
        headers = [(b"host", b"desk.example.com"), (b"origin", b"https://desk.example.com:8443")]
        for moment in (0.0, 1.0, 59.9, 60.0, 61.0):
            now[0] = moment
            send_through(gate, type="websocket", headers=headers)
        assert len(caplog.messages) == 2
        for part in ("'https://desk.example.com:8443'", "'desk.example.com'", "$http_host"):
            assert part in caplog.text

    def test_a_refused_host_is_logged_once_a_minute_with_the_fix(self, caplog):
        """Whatever anybody writes there is one short line."""
        gate = origin_gate(App())
        for host in (b"evil.example.com\n2026 ERROR", b"x" * 10_000):
            send_through(gate, type="http", headers=[(b"host", host)])
        (line,) = caplog.messages
        assert "'evil.example.com\\n2026 ERROR'" in line
        assert "STREAMLIT_SERVER_ALLOWED_HOSTS" in line
        caplog.clear()
        send_through(origin_gate(App()), type="http", headers=[(b"host", b"x" * 10_000)])
        assert len(caplog.text) < 800

    @pytest.mark.parametrize("host", [b"evil.example.com", b"10.0.0.5", None])
    def test_an_unknown_host_is_403(self, host):
        """Somebody could point their own name here (DNS rebinding)."""
        app = App()
        headers = [(b"host", host)] if host else []
        start, body = send_through(origin_gate(app), type="http", headers=headers)
        assert (app.reached, start["status"]) == (False, 403)
        assert b"server.allowedHosts" in body["body"]

    @pytest.mark.parametrize(
        "path", ["/_stcore/health", "/healthz", "/readyz", "/api/v1/verify", "/api/v1/verify/x"]
    )
    def test_health_checks_and_api_pass_under_any_host(self, path):
        """Machines use the address. A WebSocket at these paths does not pass."""
        for kind, reached in (("http", True), ("websocket", False)):
            app = App()
            send_through(
                origin_gate(app), type=kind, path=path, headers=[(b"host", b"10.0.0.5:8501")]
            )
            assert app.reached is reached

    @pytest.mark.parametrize("path", ["/api/v1", "/x/api/v1/verify", "/healthz/x", "/api/v2/x"])
    def test_other_paths_do_not_pass_under_any_host(self, path):
        """Only exactly those routes."""
        app = App()
        send_through(
            origin_gate(app), type="http", path=path, headers=[(b"host", b"10.0.0.5:8501")]
        )
        assert not app.reached

    def test_lifespan_messages_pass_the_origin_gate(self):
        """They have no host."""
        app = App()
        send_through(origin_gate(app), type="lifespan")
        assert app.reached
