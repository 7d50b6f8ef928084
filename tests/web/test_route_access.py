"""Every route has a guard: all routes of the application are requested without a sign-in."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lib.ui.navigation.page_registry import is_page
from lib.web import paths
from lib.web.not_found import NOTHING_HERE, not_found
from lib.web.route_access import NOT_YOURS, ROUTES, AccessChecks, Audience, RouteGuard, audience_of

ROOT = Path(__file__).parents[2]

#: Every route that the application has, as Streamlit names it, and whom it is for. A new version
#: that has another one fails here, and somebody decides.
EXPECTED = {
    "": Audience.ANYONE,  # the mount of Streamlit's page and its scripts
    "/_stcore/agent/interact": Audience.NOBODY,
    "/_stcore/agent/mcp": Audience.NOBODY,
    "/_stcore/agent/openapi.json": Audience.NOBODY,
    "/_stcore/bidi-components/{path:path}": Audience.NOBODY,
    "/_stcore/health": Audience.ANYONE,
    "/_stcore/host-config": Audience.ANYONE,
    "/_stcore/metrics": Audience.NOBODY,
    "/_stcore/stream": Audience.NOBODY,  # asked by plain HTTP; a WebSocket is for anyone
    "/_stcore/upload_file/{session_id}/{file_id}": Audience.RECALLING,
    "/auth/login": Audience.SIGNING_IN,
    "/auth/logout": Audience.SIGNING_IN,
    "/component/{path:path}": Audience.NOBODY,
    "/media/{file_id:path}": Audience.HOLDERS,
    "/oauth2callback": Audience.SIGNING_IN,
    "/api/v1/introspect": Audience.SERVICES,
    "/api/v1/openapi.json": Audience.SERVICES,
    "/api/v1/revoke": Audience.SERVICES,
    "/api/v1/verify": Audience.SERVICES,
    "/api/v1/verify/{rest:any}": Audience.SERVICES,
    "/api/v1/services/{service_id}/verify": Audience.SERVICES,
    "/api/v1/services/{service_id}/verify/{rest:any}": Audience.SERVICES,
    "/api/v1/{rest:any}": Audience.SERVICES,
    "/healthz": Audience.ANYONE,
    "/readyz": Audience.ANYONE,
}
STATIC = {"/favicon.png", "/static/js/index.js"}
CLOSED = {Audience.HOLDERS, Audience.RECALLING}
MODES = {
    "demo": {},
    "proxy": {"TOKEN_DESK_SIGN_IN": "proxy"},
    "oidc": {
        "TOKEN_DESK_SIGN_IN": "oidc",
        "TOKEN_DESK_OIDC_CLIENT_ID": "desk",
        "TOKEN_DESK_OIDC_CLIENT_SECRET": "secret",
        "TOKEN_DESK_OIDC_METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
        "TOKEN_DESK_OIDC_REDIRECT_URI": "https://desk.example.com/oauth2callback",
        "TOKEN_DESK_OIDC_COOKIE_SECRET": "cookie-secret-of-the-route-tests",
    },
}
HEADERS = {
    "content-security-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-frame-options",
    "cross-origin-opener-policy",
}


def is_declared(path: str) -> bool:
    """Tell what app.py passes to the guard, with two static files instead of Streamlit's."""
    return is_page(path) or path in STATIC


@pytest.fixture(scope="module", params=MODES)
def mode(request) -> str:
    """Each way to sign in, in turn."""
    return request.param


@pytest.fixture(scope="module")
def answers(mode, tmp_path_factory) -> dict[str, Any]:
    """What the application of this mode answers without a sign-in."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("TOKEN_DESK_")},
        "TOKEN_DESK_DATA": str(tmp_path_factory.mktemp("data")),
        "TOKEN_DESK_PEPPERS": f"1:{'ab' * 32}",
        "TOKEN_DESK_ADMINS": "mhale",
        **MODES[mode],
    }
    environment.pop("DATABASE_URL", None)
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.anonymous_client"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    return json.loads(run.stdout)


class TestEveryRoute:
    """The table of routes, and the application itself."""

    def test_the_application_has_exactly_the_routes_of_the_table(self, answers):
        """A new route must be added to the table."""
        assert set(answers["routes"]) == set(EXPECTED)

    def test_audience_of_matches_the_table(self):
        """The middleware calls the same function."""
        for path, audience in EXPECTED.items():
            method = "PUT" if path.startswith(paths.UPLOADS) else "GET"
            assert audience_of(path or "/", method, is_declared) is audience, path
        assert set(ROUTES) <= set(EXPECTED)

    def test_each_route_answers_without_a_sign_in_as_the_table_says(self, answers, mode):
        """Status and body of each route, method, and similar path."""
        for answer in answers["answers"]:
            audience = audience_of(answer["path"], answer["method"], is_declared)
            if mode == "demo" and audience in CLOSED:
                continue
            if audience is Audience.NOBODY or (audience is Audience.SIGNING_IN and mode != "oidc"):
                assert (answer["status"], answer["body"]) == (404, body_of_not_found(answer)), (
                    answer
                )
            elif audience in CLOSED:
                assert (answer["status"], answer["body"]) == (403, text_for(answer, NOT_YOURS)), (
                    answer
                )
            elif audience is Audience.SIGNING_IN:
                assert (answer["status"], answer["body"]) == (302, ""), answer
            elif audience is Audience.SERVICES:
                assert answer["status"] in {401, 404, 405} or "openapi" in answer["path"], answer
            else:
                assert answer["status"] in {200, 204, 404, 405, 400, 301}, answer
            assert not answer["secret"], answer

    def test_open_routes_reveal_nothing(self, answers):
        """Health checks, host configuration and the page."""
        open_ = {a["path"]: a["body"] for a in answers["answers"] if a["method"] == "GET"}
        assert open_["/_stcore/health"] == "ok"
        assert open_["/_stcore/host-config"].startswith('{"allowedOrigins":[')
        assert "<!--" in open_["/"]
        assert "<!--" in open_["/api-tokens"]

    def test_every_declared_path_is_200(self, answers):
        """Pages and routes for machines."""
        assert set(answers["declared"].values()) == {200}

    def test_a_thousand_undeclared_paths_are_404(self, answers):
        """Streamlit itself answers 200 with its page, which a gateway would accept."""
        found = {path: status for path, status in answers["undeclared"].items() if status != 404}
        print(f"{len(answers['undeclared'])} addresses that are not declared, {len(found)} found")
        assert found == {}
        assert len(answers["undeclared"]) >= 1_000

    def test_a_page_is_404_for_writing_methods(self, answers):
        """As an unknown path."""
        assert set(answers["posted"].values()) == {404}

    def test_every_response_has_the_security_headers(self, answers):
        """Refusals too."""
        assert [a for a in answers["answers"] if not set(a["headers"]) >= HEADERS] == []

    def test_hsts_is_sent_if_people_sign_in_over_https(self, answers, mode):
        """The callback of the identity provider is https then."""
        found = {"strict-transport-security" in a["headers"] for a in answers["answers"]}
        assert found == {mode == "oidc"}

    def test_an_unknown_host_is_403_except_for_machines(self, answers):
        """The list is the same as for the WebSocket."""
        assert answers["strange host"] == {"/": 403, "/healthz": 200, "/api/v1/verify": 401}

    def test_a_download_is_answered_to_its_holder_only(self, answers, mode):
        """The holder's sign-in must be active, or the proxy must name the holder.

        In demo mode it is answered to everybody.
        """
        allowed = {who for who, status in answers["downloads"].items() if status == 200}
        refused = {status for status in answers["downloads"].values() if status != 200}
        wanted = {
            "demo": set(answers["downloads"]),
            "oidc": {"signed in", "signed in once more"},
            "proxy": {"named by a header"},
        }
        assert allowed == wanted[mode]
        assert refused <= {403}


def text_for(answer: dict[str, Any], text: str) -> str:
    """Return the body that a method gets: none for HEAD."""
    return "" if answer["method"] == "HEAD" else text


def body_of_not_found(answer: dict[str, Any]) -> str:
    """Return the body of a 404."""
    return text_for(answer, NOTHING_HERE)


def guarded(kind: str, path: str, site: str | None = None) -> tuple[bool, list[dict]]:
    """Send a request through the guard. Return whether it passed, and what was sent."""
    passed, sent = [], []

    async def app(*_: object) -> None:
        passed.append(True)

    async def receive() -> dict:
        return {"type": f"{kind}.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"host", b"desk.example.com")]
    if site is not None:
        headers.append((b"sec-fetch-site", site.encode()))
    checks = AccessChecks(lambda _: False, lambda _: False)
    guard = RouteGuard(app, is_declared, checks, signing_in=True)
    scope = {"type": kind, "method": "GET", "path": path, "headers": headers}
    asyncio.run(guard(scope, receive, send))
    return passed == [True], sent


class TestCrossSite:
    """Another site, or another host of our site, can send a browser to a path."""

    @pytest.mark.parametrize("path", [paths.LOGIN, paths.LOGOUT])
    @pytest.mark.parametrize("site", ["same-site", "cross-site"])
    def test_login_and_logout_from_another_site_are_refused(self, path, site):
        """A link elsewhere must sign nobody in or out."""
        passed, sent = guarded("http", path, site)
        assert (passed, sent[0]["status"]) == (False, 404)

    @pytest.mark.parametrize("path", [paths.LOGIN, paths.LOGOUT])
    @pytest.mark.parametrize("site", ["same-origin", "none", None])
    def test_login_and_logout_from_our_own_pages_pass(self, path, site):
        """Also if typed, and if a browser does not send the header."""
        assert guarded("http", path, site) == (True, [])

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_the_callback_from_another_site_passes(self, site):
        """The identity provider has its own site."""
        assert guarded("http", paths.CALLBACK, site) == (True, [])


class TestTheWebSocket:
    """There is one WebSocket, and only at its path."""

    def test_the_websocket_of_a_page_passes(self):
        """The sign-in page needs it."""
        assert guarded("websocket", paths.STREAM) == (True, [])

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/healthz", f"{paths.STREAM}/"])
    def test_a_websocket_at_another_path_is_closed(self, path):
        """Before it is accepted."""
        passed, sent = guarded("websocket", path)
        assert (passed, [message["type"] for message in sent]) == (False, ["websocket.close"])

    def test_the_websockets_path_is_404_over_plain_http(self):
        """Streamlit would answer with its page."""
        passed, sent = guarded("http", paths.STREAM)
        assert (passed, sent[0]["status"]) == (False, 404)


class TestNotFound:
    """The response for an unknown path."""

    def test_a_browser_gets_a_page_with_a_link(self):
        """It asks for HTML. The link leads to the start."""
        status, headers, body = answered([(b"accept", b"text/html,application/xhtml+xml")])
        assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert '<a href="/">' in body

    def test_a_program_gets_one_line(self):
        """Without HTML."""
        status, headers, body = answered([])
        assert (status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
        assert body == NOTHING_HERE


def answered(headers: list[tuple[bytes, bytes]]) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of a 404."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": headers}
    asyncio.run(not_found(scope, None, send))
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, body["body"].decode()


class TestAudienceOf:
    """Paths that look like other paths."""

    @pytest.mark.parametrize(
        "path",
        [
            "/_stcore",
            "/_stcore/",
            "/_stcore/health/",
            "/_stcore/health/x",
            "//_stcore/metrics",
            "/base/_stcore/metrics",
            "/_stcore/metrics?x",
            "/component/x/_stcore/health",
            "/base/media/x.csv",
            "/static/js/none.js",
            "/index.html",
            "/api",
            "/api/v2/verify",
            "/auth",
            "/media",
            "/oauth2callback/x",
        ],
    )
    def test_a_path_that_is_not_exactly_declared_is_for_nobody(self, path):
        """It must be exactly a path of the table."""
        assert audience_of(path, "GET", is_declared) is Audience.NOBODY

    @pytest.mark.parametrize(
        "path", ["/media/x.csv", "/media/_stcore/health", "/media/static/x", "/media/"]
    )
    def test_any_download_path_is_for_holders(self, path):
        """Whatever follows the prefix."""
        assert audience_of(path, "GET", is_declared) is Audience.HOLDERS

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_an_uploaded_file_cannot_be_read_back(self, method):
        """It can be put and deleted."""
        assert (
            audience_of("/_stcore/upload_file/session/file", method, is_declared) is Audience.NOBODY
        )

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_api_paths_are_for_services(self, method):
        """The API checks credentials itself."""
        assert audience_of("/api/v1/introspect", method, is_declared) is Audience.SERVICES

    @pytest.mark.parametrize("path", ["/favicon.png", "/static/js/index.js", "/help", "/"])
    def test_pages_and_static_files_can_only_be_read(self, path):
        """By anyone."""
        assert audience_of(path, "GET", is_declared) is Audience.ANYONE
        assert audience_of(path, "POST", is_declared) is Audience.NOBODY
