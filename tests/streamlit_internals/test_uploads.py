"""Uploaded files of a session are limited by number, bytes and time."""

from unittest.mock import Mock

import pytest
from starlette.routing import Match
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette.starlette_routes import create_upload_routes

from lib.streamlit_internals.uploads import LimitedUploads


def upload(uploads: LimitedUploads, session_id: str, file_id: str, size: int = 1) -> None:
    """Upload a file on the page."""
    uploads.add_file(session_id, UploadedFileRec(file_id, "leak.txt", "text/plain", b"x" * size))


def kept(uploads: LimitedUploads, session_id: str) -> list[str]:
    """Return the ids of a session's files."""
    ids = [f"f{number}" for number in range(10)]
    return [file.file_id for file in uploads.get_files(session_id, ids)]


class TestLimitedUploads:
    """Files of a session in memory."""

    def test_the_oldest_file_is_removed_when_there_are_too_many(self):
        """Another session keeps its files."""
        uploads = LimitedUploads(files=2)
        upload(uploads, "other", "f9")
        for number in range(4):
            upload(uploads, "mine", f"f{number}")
        assert (kept(uploads, "mine"), kept(uploads, "other")) == (["f2", "f3"], ["f9"])

    def test_the_oldest_file_is_removed_when_they_are_too_large(self):
        """In total. A single large file stays: Streamlit limits its size."""
        uploads = LimitedUploads(files=9, size=10)
        for number, size in enumerate((4, 4, 4)):
            upload(uploads, "mine", f"f{number}", size)
        assert kept(uploads, "mine") == ["f1", "f2"]
        upload(uploads, "mine", "f3", 20)
        assert kept(uploads, "mine") == ["f3"]

    @pytest.mark.parametrize("files", [1, 3])
    def test_a_timer_removes_files_and_the_entry_of_their_session(self, files):
        """Without any call."""
        uploads = LimitedUploads(seconds=0.05)
        for number in range(files):
            upload(uploads, "mine", f"f{number}")
        while uploads._timer:
            uploads._timer.join(10)
        assert (kept(uploads, "mine"), dict(uploads.file_storage)) == ([], {})

    def test_a_thousand_files_start_one_timer(self):
        """And not a thousand threads."""
        uploads = LimitedUploads(seconds=60)
        timers = set()
        for number in range(1_000):
            upload(uploads, "mine", f"f{number}")
            timers.add(uploads._timer)
        (timer,) = timers
        timer.cancel()

    def test_the_upload_address_is_a_route_of_streamlit(self):
        """The browser gets this address."""
        (urls,) = LimitedUploads().get_upload_urls("session", ["leak.txt"])
        assert urls.upload_url == f"/_stcore/upload_file/session/{urls.file_id}"
        put, *_ = create_upload_routes(Mock(), Mock(), None)
        scope = {"type": "http", "path": urls.upload_url, "method": "PUT"}
        match, found = put.matches(scope)
        assert match is Match.FULL
        assert found["path_params"] == {"session_id": "session", "file_id": urls.file_id}
