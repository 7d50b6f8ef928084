"""No address without a guard: all of the application's, asked as an outsider in each mode."""

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
    """What app.py hands to the guard, with two files in the place of Streamlit's."""
    return is_page(path) or path in STATIC


@pytest.fixture(scope="module", params=MODES)
def mode(request) -> str:
    """Each way to sign in, in turn."""
    return request.param


@pytest.fixture(scope="module")
def told(mode, tmp_path_factory) -> dict[str, Any]:
    """What the application of this mode says to an outsider."""
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
    """The table, and the application as it stands."""

    def test_each_is_in_the_table(self, told):
        """No more and no fewer than were looked at."""
        assert set(told["routes"]) == set(EXPECTED)

    def test_the_table_says_what_was_decided(self):
        """`audience_of` is the one that the middleware asks."""
        for path, audience in EXPECTED.items():
            method = "PUT" if path.startswith(paths.UPLOADS) else "GET"
            assert audience_of(path or "/", method, is_declared) is audience, path
        assert set(ROUTES) <= set(EXPECTED)

    def test_an_outsider_gets_no_more(self, told, mode):
        """Status and body of each route and method, and of paths that look like one."""
        for answer in told["answers"]:
            audience = audience_of(answer["path"], answer["method"], is_declared)
            if mode == "demo" and audience in CLOSED:
                continue
            if audience is Audience.NOBODY or (audience is Audience.SIGNING_IN and mode != "oidc"):
                assert (answer["status"], answer["body"]) == (404, nothing(answer)), answer
            elif audience in CLOSED:
                assert (answer["status"], answer["body"]) == (403, said(answer, NOT_YOURS)), answer
            elif audience is Audience.SIGNING_IN:
                assert (answer["status"], answer["body"]) == (302, ""), answer
            elif audience is Audience.SERVICES:
                assert answer["status"] in {401, 404, 405} or "openapi" in answer["path"], answer
            else:
                assert answer["status"] in {200, 204, 404, 405, 400, 301}, answer
            assert not answer["secret"], answer

    def test_what_is_open_says_little(self, told):
        """Health, the host's configuration and the page."""
        open_ = {a["path"]: a["body"] for a in told["answers"] if a["method"] == "GET"}
        assert open_["/_stcore/health"] == "ok"
        assert open_["/_stcore/host-config"].startswith('{"allowedOrigins":[')
        assert "<!--" in open_["/"]
        assert "<!--" in open_["/api-tokens"]

    def test_every_declared_address_answers(self, told):
        """Pages, and what machines ask for."""
        assert set(told["declared"].values()) == {200}

    def test_a_thousand_other_addresses_are_not_found(self, told):
        """Streamlit alone answers 200 with its page, which a gateway would take for a yes."""
        found = {path: status for path, status in told["undeclared"].items() if status != 404}
        print(f"{len(told['undeclared'])} addresses that are not declared, {len(found)} found")
        assert found == {}
        assert len(told["undeclared"]) >= 1_000

    def test_a_page_is_only_read(self, told):
        """Any other method is answered as if nothing were there."""
        assert set(told["posted"].values()) == {404}

    def test_each_answer_has_the_headers(self, told):
        """Refusals as well."""
        assert [a for a in told["answers"] if not set(a["headers"]) >= HEADERS] == []

    def test_https_is_asked_for_where_it_is(self, told, mode):
        """Where the identity provider sends people back by https."""
        found = {"strict-transport-security" in a["headers"] for a in told["answers"]}
        assert found == {mode == "oidc"}

    def test_a_strange_host_gets_nothing(self, told):
        """Plain HTTP is held to the same list as the WebSocket, but for what machines ask."""
        assert told["strange host"] == {"/": 403, "/healthz": 200, "/api/v1/verify": 401}

    def test_whose_a_download_is(self, told, mode):
        """Of the person who made it, while a sign-in of theirs lasts, or whom the proxy names.

        In demo mode it is everybody's.
        """
        allowed = {who for who, status in told["downloads"].items() if status == 200}
        refused = {status for status in told["downloads"].values() if status != 200}
        wanted = {
            "demo": set(told["downloads"]),
            "oidc": {"signed in", "signed in once more"},
            "proxy": {"named by a header"},
        }
        assert allowed == wanted[mode]
        assert refused <= {403}


def said(answer: dict[str, Any], text: str) -> str:
    """Return the body that goes with a method."""
    return "" if answer["method"] == "HEAD" else text


def nothing(answer: dict[str, Any]) -> str:
    """Return the body of what is not there."""
    return said(answer, NOTHING_HERE)


def guarded(kind: str, path: str, site: str | None = None) -> tuple[bool, list[dict]]:
    """Ask the guard, where people sign in; return whether it let through, and what it sent."""
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


class TestWhoSendsTheBrowser:
    """Another site, or a sibling host, can make a browser go to an address."""

    @pytest.mark.parametrize("path", [paths.LOGIN, paths.LOGOUT])
    @pytest.mark.parametrize("site", ["same-site", "cross-site"])
    def test_signing_in_and_out_is_refused_when_others_send_it(self, path, site):
        """Nobody is signed out, or in as somebody else, by a link elsewhere."""
        passed, sent = guarded("http", path, site)
        assert (passed, sent[0]["status"]) == (False, 404)

    @pytest.mark.parametrize("path", [paths.LOGIN, paths.LOGOUT])
    @pytest.mark.parametrize("site", ["same-origin", "none", None])
    def test_signing_in_and_out_passes_from_our_own_pages(self, path, site):
        """And when it is typed, or when a browser does not say."""
        assert guarded("http", path, site) == (True, [])

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_the_callback_passes_when_the_provider_sends_it(self, site):
        """It has a site of its own, or a sibling host."""
        assert guarded("http", paths.CALLBACK, site) == (True, [])


class TestTheWebSocket:
    """There is one, and nothing else is at its address."""

    def test_the_stream_passes(self):
        """Through it the sign-in page comes."""
        assert guarded("websocket", paths.STREAM) == (True, [])

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/healthz", f"{paths.STREAM}/"])
    def test_it_is_closed_elsewhere(self, path):
        """Before it is open."""
        passed, sent = guarded("websocket", path)
        assert (passed, [message["type"] for message in sent]) == (False, ["websocket.close"])

    def test_the_stream_is_not_found_by_plain_http(self):
        """It would be Streamlit's page."""
        passed, sent = guarded("http", paths.STREAM)
        assert (passed, sent[0]["status"]) == (False, 404)


class TestNotFound:
    """What people see at an address that is none."""

    def test_people_get_a_page_with_a_way_out(self):
        """A browser asks for HTML, and gets a link to the start."""
        status, headers, body = answered([(b"accept", b"text/html,application/xhtml+xml")])
        assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert '<a href="/">' in body

    def test_programs_get_a_line(self):
        """Nothing to read through."""
        status, headers, body = answered([])
        assert (status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
        assert body == NOTHING_HERE


def answered(headers: list[tuple[bytes, bytes]]) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of the answer to a request for nothing."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": headers}
    asyncio.run(not_found(scope, None, send))
    start, body = sent
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], told, body["body"].decode()


class TestWhom:
    """Paths that try to look like something else."""

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
    def test_for_nobody(self, path):
        """Whatever is not exactly a route of the table."""
        assert audience_of(path, "GET", is_declared) is Audience.NOBODY

    @pytest.mark.parametrize(
        "path", ["/media/x.csv", "/media/_stcore/health", "/media/static/x", "/media/"]
    )
    def test_downloads_stay_guarded(self, path):
        """Wherever they are served."""
        assert audience_of(path, "GET", is_declared) is Audience.HOLDERS

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_a_dropped_file_goes_one_way(self, method):
        """It can be put and deleted, and never be read back."""
        assert (
            audience_of("/_stcore/upload_file/session/file", method, is_declared) is Audience.NOBODY
        )

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_services_are_asked_by_the_api_itself(self, method):
        """Its routes know no sign-in of people."""
        assert audience_of("/api/v1/introspect", method, is_declared) is Audience.SERVICES

    @pytest.mark.parametrize("path", ["/favicon.png", "/static/js/index.js", "/help", "/"])
    def test_pages_and_streamlits_own_files(self, path):
        """They are read, and nothing else."""
        assert audience_of(path, "GET", is_declared) is Audience.ANYONE
        assert audience_of(path, "POST", is_declared) is Audience.NOBODY
