"""How long a download lives: our decision, not the collector's."""

import asyncio
import os
import subprocess
import sys

import pytest
import streamlit as st
from streamlit.runtime.media_file_storage import MediaFileKind, MediaFileStorageError

from lib.settings import ROOT
from lib.ui.server import FetchWatch, LastingDownloads, keep_downloads

CSV = b"tokens"


@pytest.fixture
def storage():
    """A storage whose times are longer than a test."""
    storage = LastingDownloads(lasts=60, after_fetch=60)
    yield storage
    for timer in storage._timers.values():
        timer.cancel()


def put(storage: LastingDownloads, content: bytes = CSV, kind=MediaFileKind.DOWNLOADABLE) -> str:
    """Put a file into the storage and return its id."""
    return storage.load_and_get_id(content, "text/csv", kind, "tokens.csv")


def is_there(storage: LastingDownloads, file_id: str) -> bool:
    """Tell whether a browser would get the file."""
    try:
        storage.get_file(f"{file_id}.csv")
    except MediaFileStorageError:
        return False
    return True


def ended(storage: LastingDownloads, file_id: str) -> None:
    """Wait for the file's own time."""
    storage._timers[file_id].join(10)


class TestLastingDownloads:
    """Media storage that lets downloads wait."""

    def test_a_collector_does_nothing_to_a_download(self, storage):
        """However often Streamlit deletes it, the browser gets it."""
        file_id = put(storage)
        for _ in range(3):
            storage.delete_file(file_id)
        assert storage.get_file(f"{file_id}.csv").content == CSV

    def test_its_own_time_ends_it(self):
        """By a timer, without anybody asking."""
        storage = LastingDownloads(lasts=0.05, after_fetch=60)
        file_id = put(storage)
        assert is_there(storage, file_id)
        ended(storage, file_id)
        assert not is_there(storage, file_id)
        assert storage._timers == {}

    def test_a_whole_fetch_shortens_it(self):
        """Gone soon after a browser has all of it."""
        storage = LastingDownloads(lasts=60, after_fetch=0.05)
        file_id = put(storage)
        long = storage._timers[file_id]
        storage.fetched(file_id)
        assert is_there(storage, file_id)
        ended(storage, file_id)
        long.join(10)
        assert (is_there(storage, file_id), long.is_alive()) == (False, False)

    def test_the_same_file_again_starts_its_time_anew(self, storage):
        """Download again gives the same bytes the same address."""
        file_id = put(storage)
        first = storage._timers[file_id]
        assert put(storage) == file_id
        first.join(10)
        assert (first.is_alive(), storage._timers[file_id].is_alive()) == (False, True)

    @pytest.mark.parametrize("kind", [k for k in MediaFileKind if k != MediaFileKind.DOWNLOADABLE])
    def test_other_media_go_at_once(self, storage, kind):
        """Pictures are collected as usual."""
        file_id = put(storage, b"picture", kind)
        storage.delete_file(file_id)
        assert not is_there(storage, file_id)

    def test_what_is_not_there_can_be_fetched_and_deleted(self, storage):
        """A strange id in an address is no error."""
        storage.fetched("nothing")
        assert storage._timers == {}

    def test_the_defaults(self):
        """At least sixty seconds, and a few after a whole fetch, in the background."""
        storage = LastingDownloads()
        file_id = put(storage)
        timer = storage._timers[file_id]
        assert (timer.interval, timer.daemon) == (60.0, True)
        storage.fetched(file_id)
        soon = storage._timers[file_id]
        assert soon.interval == 5.0
        storage.fetched(file_id)
        assert storage._timers[file_id] is soon, "asking again must not keep a file alive"
        soon.cancel()


def fetch(*messages: dict, method: str = "GET", path: str = "/media/abc123.csv") -> list[str]:
    """Send one request whose answer is `messages`; return the ids that were fetched whole."""
    fetched, sent = [], []

    async def app(_scope, _receive, send):
        for message in messages:
            assert fetched == []
            await send(message)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method}
    asyncio.run(FetchWatch(app, fetched.append)(scope, None, send))
    assert sent == list(messages)
    return fetched


def start(status: int) -> dict:
    """Return the first message of an answer."""
    return {"type": "http.response.start", "status": status, "headers": []}


PART = {"type": "http.response.body", "body": b"a", "more_body": True}
LAST = {"type": "http.response.body", "body": b"b", "more_body": False}


class TestFetchWatch:
    """A download counts as fetched when its last byte went out."""

    def test_a_whole_answer(self):
        """In one piece or in several, and only after the last."""
        assert fetch(start(200), LAST) == ["abc123"]
        assert fetch(start(200), PART, PART, LAST) == ["abc123"]
        assert fetch(start(200), {"type": "http.response.body"}) == ["abc123"]

    @pytest.mark.parametrize("status", [206, 304, 404, 500])
    def test_any_other_answer(self, status):
        """A part, or none of it, does not count."""
        assert fetch(start(status), LAST) == []

    def test_an_answer_cut_short(self):
        """The last byte never went out."""
        assert fetch(start(200), PART) == []

    def test_a_look_at_the_headers(self):
        """HEAD brings no byte."""
        assert fetch(start(200), LAST, method="HEAD") == []

    @pytest.mark.parametrize("path", ["/", "/api-tokens", "/mediation/abc.csv"])
    def test_other_addresses(self, path):
        """Pages are not counted."""
        assert fetch(start(200), LAST, path=path) == []

    def test_a_connection_that_breaks(self):
        """What raises while it is sent does not count."""
        fetched = []

        async def app(_scope, _receive, send):
            await send(start(200))
            await send(LAST)

        async def broken(message):
            if message is LAST:
                raise ConnectionResetError

        scope = {"type": "http", "path": "/media/abc.csv", "method": "GET"}
        with pytest.raises(ConnectionResetError):
            asyncio.run(FetchWatch(app, fetched.append)(scope, None, broken))
        assert fetched == []

    def test_websockets_pass(self):
        """They are none of its business."""
        reached = []

        async def app(scope, _receive, _send):
            reached.append(scope["type"])

        asyncio.run(FetchWatch(app, print)({"type": "websocket", "path": "/"}, None, None))
        assert reached == ["websocket"]


STARTED = """
import sys
from streamlit import config
flags = {"server.headless": sys.argv[1] == "true"} if sys.argv[1] else {}
config.get_config_options(force_reparse=True, options_from_flags=flags)
import app
print("headless:", config.get_option("server.headless"))
"""


class TestHeadless:
    """Whether a browser is opened where the server runs."""

    @pytest.mark.parametrize(
        ("sign_in", "flag", "headless"),
        [
            ("", "", False),
            ("", "true", True),
            ("oidc", "", True),
            ("proxy", "", True),
            ("proxy", "false", False),
            ("oidc", "true", True),
        ],
    )
    def test_not_where_people_sign_in(self, tmp_path, sign_in, flag, headless):
        """Unless whoever starts it asks for one; in demo mode as Streamlit's own settings say."""
        settings = {
            "TOKEN_DESK_DATA": str(tmp_path),
            "TOKEN_DESK_SIGN_IN": sign_in,
            "TOKEN_DESK_PEPPERS": f"1:{'ab' * 32}",
        }
        provider = {
            "CLIENT_ID": "desk",
            "CLIENT_SECRET": "secret",
            "METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
            "REDIRECT_URI": "https://desk.example.com/oauth2callback",
            "COOKIE_SECRET": "a cookie secret of 32 characters",
        }
        if sign_in == "oidc":
            settings |= {f"TOKEN_DESK_OIDC_{name}": value for name, value in provider.items()}
        run = subprocess.run(
            [sys.executable, "-c", STARTED, flag],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            timeout=60,
            check=True,
            text=True,
        )
        assert run.stdout.splitlines()[-1] == f"headless: {headless}"


class TestKeepDownloads:
    """The seam between st.App and the storage."""

    def test_the_application_uses_the_storage(self, storage, tmp_path, monkeypatch):
        """Its media manager keeps downloads in ours, and its collector asks ours to delete them."""
        collected = []

        def delete(file_id: str) -> None:
            collected.append(file_id)
            LastingDownloads.delete_file(storage, file_id)

        monkeypatch.setattr(storage, "delete_file", delete)
        (tmp_path / "page.py").write_text("import streamlit as st\n")
        app = st.App(str(tmp_path / "page.py"))
        keep_downloads(app, storage)
        runtime = app._create_runtime()
        media = runtime.media_file_mgr
        deferred = media.add_deferred(lambda: CSV, "text/csv", "0", file_name="tokens.csv")
        file_id = media.execute_deferred(deferred).rsplit("/", 1)[-1].partition(".")[0]
        assert storage.get_file(f"{file_id}.csv").content == CSV
        media.clear_session_refs()
        for _ in range(2):  # the first time it marks a download, the second time it deletes it
            media.remove_orphaned_files()
        assert collected == [file_id]
        assert is_there(storage, file_id)
