"""Requests every route of the whole application of app.py without a sign-in.

Run it as its own process, because Streamlit has one runtime for each process. It prints JSON.
"""

import asyncio
import json
import re
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")

from starlette.requests import HTTPConnection  # noqa: E402 - after the warnings of what it imports
from starlette.routing import BaseRoute  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402
from streamlit.runtime.media_file_storage import MediaFileKind  # noqa: E402
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value  # noqa: E402

import app as application  # noqa: E402
from lib.domain import clock  # noqa: E402
from lib.operations.sign_in_sessions import LoginClaims  # noqa: E402
from lib.settings import read_settings  # noqa: E402
from lib.store import sign_in_queries  # noqa: E402
from lib.store.engine import writing  # noqa: E402
from lib.store.sign_in_queries import SignInRow  # noqa: E402
from lib.streamlit_internals.downloads import file_id_of  # noqa: E402
from lib.ui.app_context import app_context  # noqa: E402
from lib.ui.auth import connections  # noqa: E402
from tests.support import addresses  # noqa: E402

SECRET = b"API Token\r\ndemo_secret\r\n"
COOKIE = "_streamlit_user"
MORE = [
    "/",
    "/api-tokens",
    "/static/js/none.js",
    "/favicon.png",
    "/_stcore/unheard-of",
    "/_stcore/",
    "/base/_stcore/metrics",
    "/_stcore/upload_file/session/file",
    "/_stcore/agent/openapi.json",
    "/app/static/x",
    "/auth/unheard-of",
]


def filled(path: str) -> str:
    """Return a route's path with values for its parameters."""
    return re.sub(r"\{[^}]*\}", "x", path) or "/"


def answer_of(client: TestClient, path: str, method: str, **options: Any) -> dict[str, Any]:
    """Return the response to one request."""
    answer = client.request(method, path, follow_redirects=False, **options)
    return {
        "path": path,
        "method": method,
        "status": answer.status_code,
        "body": answer.text[:60],
        "secret": "demo_secret" in answer.text,
        "headers": sorted(answer.headers),
    }


def methods_of(route: BaseRoute) -> list[str]:
    """Return the methods of a route; GET for a mount or a WebSocket."""
    return sorted(getattr(route, "methods", None) or ["GET"])


def signed(claims: dict[str, Any], secret: str) -> dict[str, str]:
    """Return the header with a signed cookie of these claims."""
    value = json.dumps({**claims, "is_logged_in": True, "origin": "http://localhost"})
    cookie = create_signed_value(secret, COOKIE, value).decode()
    return {"cookie": f"{COOKIE}={cookie}"}


def download_answers(client: TestClient, path: str) -> dict[str, int]:
    """Return the status of a download for people with and without a valid cookie."""
    secret = read_settings().oidc_cookie_secret
    claims = {"iss": "tests", "sub": "mhale", "iat": clock.now() // 1000}
    ended, again = claims | {"nonce": "ended"}, claims | {"nonce": "again"}
    now = clock.now()
    with writing(app_context().engine) as connection:
        for known, ended_at in ((claims, None), (ended, now), (again, None)):
            row = SignInRow("mhale", now, now, ended_at)
            sign_in_queries.add(connection, LoginClaims(known, "").sign_in_id, row)
    other, gone = claims | {"sub": "ivarga"}, claims | {"sub": "gone"}
    with writing(app_context().engine) as connection:
        for known in (other, gone):
            row = SignInRow(known["sub"], now, now, None)
            sign_in_queries.add(connection, LoginClaims(known, "").sign_in_id, row)
    headers = {
        "signed in": signed(claims, secret),
        "signed in once more": signed(again, secret),
        "another who is signed in": signed(other, secret),
        "signed in, and no longer in the directory": signed(gone, secret),
        "ended": signed(ended, secret),
        "never seen": signed(claims | {"nonce": "new"}, secret),
        "another key": signed(claims, "another-secret-of-thirty-two-chars"),
        "changed by hand": {"cookie": f"{COOKIE}=x{signed(claims, secret)['cookie'][17:]}"},
        "named by a header": {"X-Forwarded-User": "mhale"},
        "another who is named": {"X-Forwarded-User": "ivarga"},
        "named twice": [("X-Forwarded-User", "mhale"), ("X-Forwarded-User", "mhale")],
        "unknown to the directory": {"X-Forwarded-User": "nobody"},
        "named, and no longer in the directory": {"X-Forwarded-User": "gone"},
    }
    made_by = [signed(claims, secret), {"X-Forwarded-User": "mhale"}]
    storage = application._downloads
    storage._holders[file_id_of(path)] = {*map(holder_with, made_by), "gone"}
    return {who: client.get(path, headers=sent).status_code for who, sent in headers.items()}


def holder_with(headers: dict[str, str]) -> str:
    """Return the holder of downloads that are made with these request headers."""
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return connections.download_owner(HTTPConnection({"type": "http", "headers": sent}))


async def status_of(path: str, method: str = "GET") -> int:
    """Return the status of a path that is sent unchanged: a client would normalize it."""
    statuses = []
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        request = next(requests, None)
        if request is None:  # the client stays until it has its answer
            await asyncio.Event().wait()
        return request

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status"))

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"accept", b"text/html")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "http_version": "1.1",
    }
    await application.app(scope, receive, send)
    return int(statuses[0])


def statuses(client: TestClient, paths: list[str], method: str = "GET") -> dict[str, int]:
    """Return the status of each path."""
    return {path: client.portal.call(status_of, path, method) for path in paths}


def main() -> None:
    """Print the routes of the application, and their responses without a sign-in."""
    desk_app = application.app
    storage = application._downloads
    # Of a session that does not ask: the holders are set below.
    storage._holder_of_session = str
    file_id = storage.load_and_get_id(SECRET, "text/csv", MediaFileKind.DOWNLOADABLE, "x.csv")
    client = TestClient(desk_app, base_url="http://127.0.0.1")
    with client:
        routes = desk_app._starlette_app.routes
        walk = [(filled(r.path), method) for r in routes for method in methods_of(r)]
        walk += [(path, "GET") for path in (*MORE, f"/media/{file_id}.csv")]
        walk += [(path, "POST") for path in ("/", "/api-tokens", f"/media/{file_id}.csv")]
        result = {
            "routes": sorted({r.path for r in routes}),
            "answers": [answer_of(client, path, method) for path, method in walk],
            "declared": statuses(client, [*addresses.PAGES, *addresses.OF_MACHINES]),
            "posted": statuses(client, addresses.PAGES, "POST"),
            "undeclared": statuses(client, addresses.undeclared()),
            "downloads": download_answers(client, f"/media/{file_id}.csv"),
            "strange host": {
                path: client.get(path, headers={"host": "evil.example.com"}).status_code
                for path in ("/", "/healthz", "/api/v1/verify")
            },
        }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
