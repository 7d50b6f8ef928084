"""Opening folder, database and keys."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import text

from lib.domain.storage_errors import OtherPepperError
from lib.operations.database import OpenedDatabase, open_with
from lib.settings import Settings
from lib.store.engine import reading
from lib.store.sqlite_file import SqliteFile
from tests.support.file_owner import ordinary_user

ONE, TWO, THREE = (f"{n}:{str(n) * 64}" for n in (1, 2, 3))


def open_under(url: str, *peppers: str, **options: bool) -> OpenedDatabase:
    """Open a database under some peppers."""
    return open_with(Settings(database_url=url, peppers=",".join(peppers)), **options)


def known(opened: OpenedDatabase) -> list[int]:
    """Return the numbers whose check value is stored; close the database."""
    engine = opened.unit_of_work.engine
    with reading(engine) as connection:
        numbers = connection.execute(text("SELECT key_number FROM key_check ORDER BY 1")).scalars()
        found = list(numbers)
    engine.dispose()
    return found


class TestKeys:
    """A number and its key belong together."""

    def test_each_number_is_known_from_its_first_start_on(self, url):
        """A key that is not set for a while stays known."""
        assert known(open_under(url, ONE)) == [1]
        assert known(open_under(url, TWO)) == [1, 2]
        assert known(open_under(url, ONE, TWO, THREE)) == [1, 2, 3]

    def test_another_key_under_a_known_number_is_refused_with_the_next_free_number(self, url):
        """Nothing is stored of it, nor of a new key beside it."""
        known(open_under(url, ONE, TWO))
        with pytest.raises(OtherPepperError) as caught:
            open_under(url, f"1:{'f' * 64}", THREE)
        assert caught.value == OtherPepperError((1,), 4)
        assert known(open_under(url, ONE)) == [1, 2]

    def test_the_audit_trail_can_be_verified_under_any_key(self, url):
        """And nothing is stored of that one."""
        known(open_under(url, ONE))
        assert known(open_under(url, f"1:{'f' * 64}", TWO, any_pepper=True)) == [1]

    def test_a_database_that_is_read_only_is_opened_and_stores_nothing(
        self, migrated_sqlite: Path, caplog
    ):
        """A later start stores the check values."""
        content = migrated_sqlite.read_bytes()
        with ordinary_user() as folder:
            path = folder / "desk.db"
            path.write_bytes(content)
            path.chmod(0o400)
            assert known(open_under(f"sqlite:///{path}", ONE)) == []
            assert "the check values of its keys are not stored yet" in caplog.text
            path.chmod(0o600)
            assert known(open_under(f"sqlite:///{path}", ONE)) == [1]


class TestFolder:
    """The data folder."""

    def test_with_a_url_and_peppers_no_folder_is_needed(self, url, tmp_path):
        """A container without a writable folder is enough."""
        settings = Settings(database_url=url, peppers=ONE, data=tmp_path / "data")
        open_with(settings).unit_of_work.engine.dispose()
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("kind", ["nfs4", ""])
    def test_a_network_file_system_is_warned_of(self, tmp_path, monkeypatch, caplog, kind):
        """By its type; a local disk is not."""
        monkeypatch.setattr(SqliteFile, "network_kind", lambda _file: kind)
        with caplog.at_level(logging.WARNING):
            open_with(Settings(data=tmp_path)).unit_of_work.engine.dispose()
        assert ("a network file system (nfs4): SQLite is for one machine" in caplog.text) == (
            kind == "nfs4"
        )
