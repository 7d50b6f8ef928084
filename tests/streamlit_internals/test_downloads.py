"""How long a download lives, and whose it is: our decision, not Streamlit's."""

import asyncio
import contextvars
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest
from streamlit.proto.ForwardMsg_pb2 import BackendOperationResponse
from streamlit.runtime import app_session
from streamlit.runtime.backend_operation_handler import DeferredFileHandler
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileKind, MediaFileStorageError

from lib.streamlit_internals import downloads
from lib.streamlit_internals.downloads import (
    DownloadObserver,
    DownloadStorage,
    SessionDeferredFiles,
    bind_deferred_files,
    file_id_of,
)
from lib.streamlit_internals.runtime import use_storages
from lib.streamlit_internals.sessions import SignedInSessions
from lib.streamlit_internals.uploads import LimitedUploads

CSV = b"tokens"


@pytest.fixture
def storage():
    """A storage whose times are longer than a test."""
    storage = DownloadStorage(str.upper, lasts=60, after_fetch=60)
    yield storage
    for timer in storage._timers.values():
        timer.cancel()


def put(storage: DownloadStorage, content: bytes = CSV, kind=MediaFileKind.DOWNLOADABLE) -> str:
    """Put a file into the storage and return its id."""
    return storage.load_and_get_id(content, "text/csv", kind, "tokens.csv")


def is_there(storage: DownloadStorage, file_id: str) -> bool:
    """Tell whether a browser would get the file."""
    try:
        storage.get_file(f"{file_id}.csv")
    except MediaFileStorageError:
        return False
    return True


def ended(storage: DownloadStorage, file_id: str) -> None:
    """Wait for the file's own time."""
    storage._timers[file_id].join(10)


class TestDownloadStorage:
    """Media storage that lets downloads wait."""

    def test_a_collector_does_nothing_to_a_download(self, storage):
        """However often Streamlit deletes it, the browser gets it."""
        file_id = put(storage)
        for _ in range(3):
            storage.delete_file(file_id)
        assert storage.get_file(f"{file_id}.csv").content == CSV

    def test_its_own_time_ends_it(self):
        """By a timer, without anybody asking."""
        storage = DownloadStorage(str.upper, lasts=0.05, after_fetch=60)
        file_id = put(storage)
        assert is_there(storage, file_id)
        ended(storage, file_id)
        assert not is_there(storage, file_id)
        assert storage._timers == {}

    def test_a_whole_fetch_shortens_it(self):
        """Gone soon after a browser has all of it."""
        storage = DownloadStorage(str.upper, lasts=60, after_fetch=0.05)
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
        storage = DownloadStorage(str.upper)
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
    asyncio.run(DownloadObserver(app, fetched.append)(scope, None, send))
    assert sent == list(messages)
    return fetched


def start(status: int) -> dict:
    """Return the first message of an answer."""
    return {"type": "http.response.start", "status": status, "headers": []}


PART = {"type": "http.response.body", "body": b"a", "more_body": True}
LAST = {"type": "http.response.body", "body": b"b", "more_body": False}


class TestDownloadObserver:
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
            asyncio.run(DownloadObserver(app, fetched.append)(scope, None, broken))
        assert fetched == []

    def test_websockets_pass(self):
        """They are none of its business."""
        reached = []

        async def app(scope, _receive, _send):
            reached.append(scope["type"])

        asyncio.run(DownloadObserver(app, print)({"type": "websocket", "path": "/"}, None, None))
        assert reached == ["websocket"]


class TestAtOnce:
    """Several threads make, fetch and end the same downloads."""

    PEOPLE = ("anna", "ben", "cleo", "dan")

    @pytest.fixture(autouse=True)
    def _often_interrupted(self):
        """Let threads take turns all the time, so that each order of their steps comes up."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    def test_a_download_is_whole_or_gone_when_it_is_put_fetched_and_ended_at_once(self):
        """A file without holders would be everybody's; holders without a file would stay."""
        storage = DownloadStorage(str.upper, lasts=0.002, after_fetch=0.0)
        contents = (b"one", b"two")
        broken: list[tuple[set[str], ...]] = []

        def look() -> None:
            with storage._lock:
                parts = (storage._files_by_id, storage._holders, storage._timers)
                if len({frozenset(part) for part in parts}) != 1:
                    broken.append(tuple(set(part) for part in parts))

        def work(person: str) -> None:
            for number in range(1_000):
                file_id = made_by(storage, person, contents[number % 2])
                look()
                if number % 3 == 0:
                    storage.fetched(file_id)
                storage.delete_file(file_id)
                look()

        with ThreadPoolExecutor(len(self.PEOPLE)) as threads:
            list(threads.map(work, self.PEOPLE))
        assert broken == []
        for timer in list(storage._timers.values()):
            timer.join(10)
        assert (storage._files_by_id, storage._holders, storage._timers) == ({}, {}, {})

    def test_every_holder_may_fetch_when_the_time_ends_as_they_put_it(self):
        """However the threads meet, the file's new time is a whole one."""
        for _ in range(300):
            storage = DownloadStorage(str.upper, lasts=0.0)
            file_id = put(storage)
            storage._lasts = 60
            with ThreadPoolExecutor(len(self.PEOPLE)) as threads:
                list(threads.map(partial(made_by, storage), self.PEOPLE))
            assert is_there(storage, file_id)
            assert all(storage.may_fetch(file_id, who.upper()) for who in self.PEOPLE)
            assert not storage.may_fetch(file_id, "EVE")
            storage._timers[file_id].cancel()


class TestHolders:
    """A download belongs to those whose sessions made it."""

    def test_only_who_made_it_may_fetch_it(self, storage):
        """The holder is asked for the session that made it."""
        file_id = made_by(storage, "anna")
        assert [storage.may_fetch(file_id, who) for who in ("ANNA", "BEN", "")] == [
            True,
            False,
            False,
        ]

    def test_the_same_content_belongs_to_both(self, storage):
        """Its id is a hash of the content, so two people with the same list share it."""
        file_id = made_by(storage, "anna")
        assert made_by(storage, "ben") == file_id
        assert storage.may_fetch(file_id, "ANNA")
        assert storage.may_fetch(file_id, "BEN")

    def test_large_files_that_differ_anywhere_are_two(self, storage):
        """Streamlit hashes only parts of a file above 1 MiB: one would get what another made."""
        mine, theirs = bytes(3_000_000), bytearray(3_000_000)
        theirs[500_000] = 1
        first, second = put(storage, mine), put(storage, bytes(theirs))
        assert first != second
        assert storage.get_file(f"{second}.csv").content == theirs

    def test_a_file_whose_maker_cannot_be_found_is_not_kept(self):
        """Without holders it would be for everybody."""

        def fail(_session_id: str) -> str:
            raise LookupError

        storage = DownloadStorage(fail)
        with pytest.raises(LookupError):
            put(storage)
        assert storage._files_by_id == {}

    def test_what_nobody_made_is_nobodys(self, storage):
        """A session that has no person any more leaves no key for whoever has none either."""
        assert not storage.may_fetch(put(storage), "")

    def test_holders_end_with_the_file(self):
        """The next one with the same content begins anew."""
        storage = DownloadStorage(str.upper, lasts=0.05, after_fetch=60)
        file_id = made_by(storage, "anna")
        ended(storage, file_id)
        assert storage._holders == {}

    def test_a_picture_is_for_everybody(self, storage):
        """The logo is on each page."""
        file_id = put(storage, b"picture", MediaFileKind.MEDIA)
        assert storage.may_fetch(file_id, "BEN")

    @pytest.mark.parametrize("path", ["/media/0a1b.csv", "/media/0a1b", "/media/0a1b."])
    def test_an_address_names_its_file(self, path):
        """With or without an ending, as Streamlit reads it."""
        assert file_id_of(path) == "0a1b"


def made_by(storage: DownloadStorage, session_id: str, content: bytes = CSV) -> str:
    """Put a file into the storage as the deferred download of a session."""
    return contextvars.copy_context().run(
        lambda: (downloads._requesting_session.set(session_id), put(storage, content))[1]
    )


def ask(manager: MediaFileManager, file_id: str, session_id: str) -> BackendOperationResponse:
    """Ask for a deferred download as a session does."""
    request = BackendOperationRequest(request_id="1")
    request.deferred_file.file_id = file_id
    return asyncio.run(SessionDeferredFiles(lambda: manager).handle(request, session_id))


class TestSessionDeferredFiles:
    """A deferred download runs for the session that drew its button."""

    def test_its_own_session_gets_the_file(self, storage):
        """And is its holder."""
        manager = MediaFileManager(storage)
        file_id = manager.add_deferred(lambda: CSV, "text/csv", "0", file_name="tokens.csv")
        manager._deferred_callables[file_id]["session_id"] = "anna"
        url = ask(manager, file_id, "anna").deferred_file.url
        assert storage.get_file(url.rsplit("/", 1)[-1]).content == CSV
        assert storage._holders == {file_id_of(url): {"ANNA"}}

    def test_another_session_runs_nothing(self, storage):
        """Whoever knows the id: an error, the callable is not called, and no file is there."""
        called = []
        manager = MediaFileManager(storage)
        file_id = manager.add_deferred(lambda: called.append(1) or CSV, "text/csv", "0")
        manager._deferred_callables[file_id]["session_id"] = "anna"
        answer = ask(manager, file_id, "ben")
        assert (answer.error_msg, answer.deferred_file.url) == ("There is no such download.", "")
        assert (called, storage._files_by_id) == ([], {})

    def test_an_unknown_id_is_refused(self, storage):
        """As one of another session is."""
        assert ask(MediaFileManager(storage), "x" * 32, "anna").error_msg

    def test_sessions_use_it(self, monkeypatch):
        """The name that Streamlit's sessions look up is ours."""
        monkeypatch.setattr(app_session, "DeferredFileHandler", DeferredFileHandler)
        bind_deferred_files()
        dispatcher = app_session.AppSession._create_backend_operation_dispatcher(
            SimpleNamespace(_script_data=None)
        )
        assert type(dispatcher._handlers["deferred_file"]) is SessionDeferredFiles


class TestUseStorages:
    """The seam between st.App and our storages."""

    def test_the_application_uses_them(self, storage, tmp_path, monkeypatch):
        """Its media manager keeps downloads in ours, and its collector asks ours to delete them."""
        collected = []

        def delete(file_id: str) -> None:
            collected.append(file_id)
            DownloadStorage.delete_file(storage, file_id)

        monkeypatch.setattr(storage, "delete_file", delete)
        (tmp_path / "page.py").write_text("import streamlit as st\n")
        app = st.App(str(tmp_path / "page.py"))
        sessions, uploads = SignedInSessions(60, bool), LimitedUploads()
        use_storages(app, storage, sessions, uploads)
        runtime = app._create_runtime()
        assert runtime._session_mgr._session_storage is sessions
        assert runtime._session_mgr._uploaded_file_mgr is uploads
        assert runtime.uploaded_file_mgr is uploads
        media = runtime.media_file_mgr
        deferred = media.add_deferred(lambda: CSV, "text/csv", "0", file_name="tokens.csv")
        file_id = file_id_of(media.execute_deferred(deferred))
        assert storage.get_file(f"{file_id}.csv").content == CSV
        media.clear_session_refs()
        for _ in range(2):  # the first time it marks a download, the second time it deletes it
            media.remove_orphaned_files()
        assert collected == [file_id]
        assert is_there(storage, file_id)
