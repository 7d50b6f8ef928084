"""Storage of downloads: how long a file is kept, and who may fetch it."""

import asyncio
import contextvars
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest
from streamlit.proto.ForwardMsg_pb2 import BackendOperationResponse, ForwardMsg
from streamlit.runtime import app_session
from streamlit.runtime.backend_operation_handler import DeferredFileHandler
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileKind, MediaFileStorageError

from lib.streamlit_internals import downloads
from lib.streamlit_internals.downloads import (
    DownloadStorage,
    ResponseKeepingQueue,
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
    """Tell whether the file's own timer deletes it in time."""
    storage._timers[file_id].join(10)


class TestDownloadStorage:
    """Downloads are deleted by their own timer only."""

    def test_streamlits_delete_keeps_a_download(self, storage):
        """However often it is called."""
        file_id = put(storage)
        for _ in range(3):
            storage.delete_file(file_id)
        assert storage.get_file(f"{file_id}.csv").content == CSV

    def test_a_timer_deletes_a_download(self):
        """Without any call."""
        storage = DownloadStorage(str.upper, lasts=0.05, after_fetch=60)
        file_id = put(storage)
        assert is_there(storage, file_id)
        ended(storage, file_id)
        assert not is_there(storage, file_id)
        assert storage._timers == {}

    def test_a_complete_fetch_shortens_the_time(self):
        """The file is deleted soon after."""
        storage = DownloadStorage(str.upper, lasts=60, after_fetch=0.05)
        file_id = put(storage)
        long = storage._timers[file_id]
        storage.fetched(file_id)
        assert is_there(storage, file_id)
        ended(storage, file_id)
        long.join(10)
        assert (is_there(storage, file_id), long.is_alive()) == (False, False)

    def test_the_same_file_added_again_starts_its_time_again(self, storage):
        """The address is the same too."""
        file_id = put(storage)
        first = storage._timers[file_id]
        assert put(storage) == file_id
        first.join(10)
        assert (first.is_alive(), storage._timers[file_id].is_alive()) == (False, True)

    @pytest.mark.parametrize("kind", [k for k in MediaFileKind if k != MediaFileKind.DOWNLOADABLE])
    def test_streamlits_delete_removes_other_media(self, storage, kind):
        """Such as pictures."""
        file_id = put(storage, b"picture", kind)
        storage.delete_file(file_id)
        assert not is_there(storage, file_id)

    def test_an_unknown_id_can_be_fetched_and_deleted(self, storage):
        """It is no error."""
        storage.fetched("nothing")
        assert storage._timers == {}

    def test_the_default_times_are_a_minute_and_some_seconds(self):
        """Timers are daemon threads."""
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


class TestAtOnce:
    """Several threads add, fetch and end the same downloads."""

    PEOPLE = ("anna", "ben", "cleo", "dan")

    @pytest.fixture(autouse=True)
    def _often_interrupted(self):
        """Make threads switch very often, so that every order of steps occurs."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    def test_file_and_holders_stay_together_when_threads_add_fetch_and_end_it(self):
        """A file without holders would be for everybody. Holders without a file would stay."""
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

    def test_every_holder_may_fetch_a_file_added_while_its_time_ends(self):
        """The file's time starts again."""
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
    """A download may be fetched by the people whose sessions made it."""

    def test_only_the_maker_may_fetch_a_download(self, storage):
        """The session that made it gives the holder."""
        file_id = made_by(storage, "anna")
        assert [storage.may_fetch(file_id, who) for who in ("ANNA", "BEN", "")] == [
            True,
            False,
            False,
        ]

    def test_equal_content_of_two_people_may_be_fetched_by_both(self, storage):
        """The id is a hash of the content."""
        file_id = made_by(storage, "anna")
        assert made_by(storage, "ben") == file_id
        assert storage.may_fetch(file_id, "ANNA")
        assert storage.may_fetch(file_id, "BEN")

    def test_large_files_with_one_different_byte_have_two_ids(self, storage):
        """Streamlit hashes only parts of a file above 1 MiB."""
        mine, theirs = bytes(3_000_000), bytearray(3_000_000)
        theirs[500_000] = 1
        first, second = put(storage, mine), put(storage, bytes(theirs))
        assert first != second
        assert storage.get_file(f"{second}.csv").content == theirs

    def test_a_download_whose_holder_cannot_be_read_is_not_added(self):
        """Without holders it would be for everybody."""

        def fail(_session_id: str) -> str:
            raise LookupError

        storage = DownloadStorage(fail)
        with pytest.raises(LookupError):
            put(storage)
        assert storage._files_by_id == {}

    def test_a_download_of_nobody_may_be_fetched_by_nobody(self, storage):
        """Its session has no person any more."""
        assert not storage.may_fetch(put(storage), "")

    def test_holders_are_deleted_with_the_file(self):
        """Equal content has new holders later."""
        storage = DownloadStorage(str.upper, lasts=0.05, after_fetch=60)
        file_id = made_by(storage, "anna")
        ended(storage, file_id)
        assert storage._holders == {}

    def test_a_picture_may_be_fetched_by_everybody(self, storage):
        """The logo is on each page."""
        file_id = put(storage, b"picture", MediaFileKind.MEDIA)
        assert storage.may_fetch(file_id, "BEN")

    @pytest.mark.parametrize("path", ["/media/0a1b.csv", "/media/0a1b", "/media/0a1b."])
    def test_the_id_is_read_from_a_path(self, path):
        """With or without a file name extension, as Streamlit reads it."""
        assert file_id_of(path) == "0a1b"


def made_by(storage: DownloadStorage, session_id: str, content: bytes = CSV) -> str:
    """Add a file as the deferred download of a session. Return its id."""
    return contextvars.copy_context().run(
        lambda: (downloads._requesting_session.set(session_id), put(storage, content))[1]
    )


def request_file(
    manager: MediaFileManager, file_id: str, session_id: str
) -> BackendOperationResponse:
    """Request a deferred download as a session does."""
    request = BackendOperationRequest(request_id="1")
    request.deferred_file.file_id = file_id
    return asyncio.run(SessionDeferredFiles(lambda: manager).handle(request, session_id))


class TestSessionDeferredFiles:
    """A deferred download runs only for the session that drew its button."""

    def test_the_buttons_session_gets_the_file(self, storage):
        """And is its holder."""
        manager = MediaFileManager(storage)
        file_id = manager.add_deferred(lambda: CSV, "text/csv", "0", file_name="tokens.csv")
        manager._deferred_callables[file_id]["session_id"] = "anna"
        url = request_file(manager, file_id, "anna").deferred_file.url
        assert storage.get_file(url.rsplit("/", 1)[-1]).content == CSV
        assert storage._holders == {file_id_of(url): {"ANNA"}}

    def test_another_session_gets_an_error_and_runs_nothing(self, storage):
        """There is no file."""
        called = []
        manager = MediaFileManager(storage)
        file_id = manager.add_deferred(lambda: called.append(1) or CSV, "text/csv", "0")
        manager._deferred_callables[file_id]["session_id"] = "anna"
        answer = request_file(manager, file_id, "ben")
        assert (answer.error_msg, answer.deferred_file.url) == ("There is no such download.", "")
        assert (called, storage._files_by_id) == ([], {})

    def test_an_unknown_id_gets_the_same_error(self, storage):
        """As that of another session."""
        assert request_file(MediaFileManager(storage), "x" * 32, "anna").error_msg

    def test_streamlits_sessions_use_our_handler(self, monkeypatch):
        """They look it up by the replaced name."""
        monkeypatch.setattr(app_session, "DeferredFileHandler", DeferredFileHandler)
        monkeypatch.setattr(app_session, "ForwardMsgQueue", ForwardMsgQueue)
        bind_deferred_files()
        dispatcher = app_session.AppSession._create_backend_operation_dispatcher(
            SimpleNamespace(_script_data=None)
        )
        assert type(dispatcher._handlers["deferred_file"]) is SessionDeferredFiles


class TestResponseKeepingQueue:
    """A run that begins before a response was sent."""

    @pytest.mark.parametrize("fragments", [None, ["polling"]])
    def test_a_new_run_keeps_the_response_and_drops_what_was_drawn(self, fragments):
        """The browser still hears where its file is; once, whichever run it is."""
        queue = ResponseKeepingQueue()
        queue.enqueue(message := ForwardMsg())
        message.backend_operation_response.deferred_file.url = "/media/a.csv"
        drawn = ForwardMsg()
        drawn.delta.fragment_id = "polling"
        queue.enqueue(drawn)
        queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=fragments)
        assert queue.flush() == [message]

    def test_a_whole_clear_drops_the_response(self):
        """As when the session ends."""
        queue = ResponseKeepingQueue()
        queue.enqueue(message := ForwardMsg())
        message.backend_operation_response.request_id = "1"
        queue.clear()
        assert queue.is_empty

    def test_streamlits_sessions_use_it(self, monkeypatch):
        """After `bind_deferred_files`; their queue is made from that name."""
        monkeypatch.setattr(app_session, "DeferredFileHandler", DeferredFileHandler)
        monkeypatch.setattr(app_session, "ForwardMsgQueue", ForwardMsgQueue)
        bind_deferred_files()
        assert app_session.ForwardMsgQueue is ResponseKeepingQueue
        assert "ForwardMsgQueue" in app_session.AppSession.__init__.__code__.co_names


class TestUseStorages:
    """st.App uses our storages."""

    def test_the_runtime_uses_our_media_storage(self, storage, tmp_path, monkeypatch):
        """Its media manager adds files to ours, and its collector deletes them there."""
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
