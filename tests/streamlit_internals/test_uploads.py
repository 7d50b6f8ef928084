"""Dropped files: so many of a session, of so many bytes, for so long."""

from unittest.mock import Mock

import pytest
from starlette.routing import Match
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette.starlette_routes import create_upload_routes

from lib.streamlit_internals.uploads import LimitedUploads


def drop(uploads: LimitedUploads, session_id: str, file_id: str, size: int = 1) -> None:
    """Drop a file on the page."""
    uploads.add_file(session_id, UploadedFileRec(file_id, "leak.txt", "text/plain", b"x" * size))


def kept(uploads: LimitedUploads, session_id: str) -> list[str]:
    """Return the ids of a session's files."""
    ids = [f"f{number}" for number in range(10)]
    return [file.file_id for file in uploads.get_files(session_id, ids)]


class TestLimitedUploads:
    """What a session may have in memory."""

    def test_the_oldest_goes_when_there_are_too_many(self):
        """The newest files stay; another session is not touched."""
        uploads = LimitedUploads(files=2)
        drop(uploads, "other", "f9")
        for number in range(4):
            drop(uploads, "mine", f"f{number}")
        assert (kept(uploads, "mine"), kept(uploads, "other")) == (["f2", "f3"], ["f9"])

    def test_the_oldest_goes_when_they_are_too_large(self):
        """By all bytes together; one that is too large alone stays, for Streamlit limits that."""
        uploads = LimitedUploads(files=9, size=10)
        for number, size in enumerate((4, 4, 4)):
            drop(uploads, "mine", f"f{number}", size)
        assert kept(uploads, "mine") == ["f1", "f2"]
        drop(uploads, "mine", "f3", 20)
        assert kept(uploads, "mine") == ["f3"]

    @pytest.mark.parametrize("files", [1, 3])
    def test_a_timer_sweeps_them(self, files):
        """Nobody asks, and nothing stays: neither files nor the session's entry."""
        uploads = LimitedUploads(seconds=0.05)
        for number in range(files):
            drop(uploads, "mine", f"f{number}")
        while uploads._timer:
            uploads._timer.join(10)
        assert (kept(uploads, "mine"), dict(uploads.file_storage)) == ([], {})

    def test_one_timer_serves_all(self):
        """A thousand drops do not start a thousand threads."""
        uploads = LimitedUploads(seconds=60)
        timers = set()
        for number in range(1_000):
            drop(uploads, "mine", f"f{number}")
            timers.add(uploads._timer)
        (timer,) = timers
        timer.cancel()

    def test_the_address_is_streamlits(self):
        """The browser is told where to put a file, and the route is there."""
        (urls,) = LimitedUploads().get_upload_urls("session", ["leak.txt"])
        assert urls.upload_url == f"/_stcore/upload_file/session/{urls.file_id}"
        put, *_ = create_upload_routes(Mock(), Mock(), None)
        scope = {"type": "http", "path": urls.upload_url, "method": "PUT"}
        match, found = put.matches(scope)
        assert match is Match.FULL
        assert found["path_params"] == {"session_id": "session", "file_id": urls.file_id}
