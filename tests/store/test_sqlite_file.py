"""The file of a SQLite database in use: deleted, replaced, read-only, on a network."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lib.domain.errors import DatabaseReadOnlyError
from lib.domain.storage_errors import DatabaseFileError, FileFault
from lib.store.engine import open_engine, reading
from lib.store.migrate import migrate
from lib.store.sqlite_file import file_of, file_system
from lib.store.token_lookup import TokenLookup
from tests.store.test_engine import add_services, services
from tests.support.file_owner import ordinary_user

DIGEST = bytes(32)


@pytest.fixture
def path(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """The path of a migrated database."""
    return Path(shutil.copy(migrated_sqlite, tmp_path))


@pytest.fixture
def open_file(path: Path) -> Engine:
    """An engine that has opened the file, with connections in its pool."""
    engine = open_engine(f"sqlite:///{path}")
    with reading(engine), reading(engine):
        pass
    yield engine
    engine.dispose()


def delete(path: Path) -> None:
    """Delete the file and those beside it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def replace(path: Path, by: Path) -> None:
    """Put a copy of another file in its place."""
    shutil.copy(by, path.with_suffix(".new")).rename(path)


class TestSameFile:
    """The path must name the file that was opened first."""

    def test_a_file_when_deleted_is_noticed_before_anything_is_written(self, open_file, path):
        """By writes and reads, with pooled connections and new ones; no file is made."""
        delete(path)
        for _ in range(2):
            for use in (add_services, services):
                with pytest.raises(DatabaseFileError) as caught:
                    use(open_file)
                assert caught.value.fault is FileFault.DELETED
            open_file.dispose()
        assert list(path.parent.iterdir()) == []

    def test_a_file_when_replaced_is_noticed_before_anything_is_written(
        self, open_file, path, migrated_sqlite
    ):
        """The other file is left as it was."""
        replace(path, migrated_sqlite)
        with pytest.raises(DatabaseFileError) as caught:
            add_services(open_file)
        assert caught.value.fault is FileFault.REPLACED
        assert path.read_bytes() == migrated_sqlite.read_bytes()

    def test_a_file_when_put_back_works_again(self, open_file, path):
        """Without a new engine."""
        moved = path.rename(path.with_suffix(".moved"))
        with pytest.raises(DatabaseFileError):
            add_services(open_file)
        moved.rename(path)
        add_services(open_file)
        assert services(open_file) == 2

    def test_a_lookup_when_the_file_is_deleted_says_so(self, open_file, path):
        """With an idle connection and without one: no token is good by a file without a name."""
        for lookups in (TokenLookup(open_file), TokenLookup(open_file, seconds=0)):
            assert lookups.token(DIGEST) is None
            moved = path.rename(path.with_suffix(".moved"))
            for _ in range(2):
                with pytest.raises(DatabaseFileError):
                    lookups.token(DIGEST)
                lookups.close()
            moved.rename(path)

    def test_a_link_when_it_names_another_file_counts_as_replaced(
        self, tmp_path, path, migrated_sqlite
    ):
        """A link is followed at each look."""
        other = Path(shutil.copy(migrated_sqlite, tmp_path / "other.db"))
        link = tmp_path / "link.db"
        link.symlink_to(path)
        engine = open_engine(f"sqlite:///{link}")
        assert services(engine) == 0
        link.unlink()
        link.symlink_to(other)
        with pytest.raises(DatabaseFileError):
            services(engine)
        engine.dispose()


class TestReadOnly:
    """A file, or its folder, that an ordinary user may not write."""

    def test_a_file_read_only_at_the_start_when_writable_works_again(self, migrated_sqlite):
        """With the same engine and at the first try; before, nothing is written."""
        content = migrated_sqlite.read_bytes()
        with ordinary_user() as folder:
            path = folder / "desk.db"
            path.write_bytes(content)
            path.chmod(0o400)
            engine = open_engine(f"sqlite:///{path}")
            migrate(engine)
            assert services(engine) == 0
            with pytest.raises(DatabaseReadOnlyError):
                add_services(engine)
            assert services(engine) == 0  # with a pooled connection that is read-only
            path.chmod(0o600)
            add_services(engine)
            assert services(engine) == 2
            engine.dispose()

    @pytest.mark.parametrize(
        ("mode_of_file", "mode_of_folder", "error"),
        [
            (0o000, 0o700, DatabaseFileError(FileFault.FORBIDDEN)),
            (0o600, 0o600, DatabaseFileError(FileFault.FORBIDDEN)),
            (0o600, 0o500, DatabaseReadOnlyError()),
        ],
    )
    def test_a_file_or_folder_when_closed_to_the_user_is_named(
        self, migrated_sqlite, mode_of_file, mode_of_folder, error
    ):
        """A folder that cannot be written has no room for SQLite's files beside the database."""
        content = migrated_sqlite.read_bytes()
        with ordinary_user() as folder:
            path = folder / "desk.db"
            path.write_bytes(content)
            path.chmod(mode_of_file)
            folder.chmod(mode_of_folder)
            engine = open_engine(f"sqlite:///{path}")
            with pytest.raises(type(error)) as caught:
                add_services(engine)
            assert repr(caught.value) == repr(error)
            engine.dispose()

    def test_a_new_file_in_a_folder_of_another_user_is_forbidden(self):
        """Nothing is made."""
        with ordinary_user() as folder:
            folder.chmod(0o500)
            engine = open_engine(f"sqlite:///{folder / 'desk.db'}")
            with pytest.raises(DatabaseFileError) as caught:
                migrate(engine)
            assert caught.value.fault is FileFault.FORBIDDEN
            assert list(folder.iterdir()) == []
            engine.dispose()


class TestFileSystem:
    """The type of the file system, as the system lists its mounts."""

    @pytest.mark.parametrize(
        ("file", "kind"),
        [
            ("/srv/desk.db", "ext4"),
            ("/mnt/share/a/desk.db", "nfs4"),
            ("/mnt/share/local/desk.db", "xfs"),
            ("/mnt/two words/desk.db", "cifs"),
            ("/mnt/shared/desk.db", "ext4"),
        ],
    )
    def test_the_innermost_mount_decides(self, tmp_path, file, kind):
        """Blanks in a mount point are written as octal digits."""
        mounts = tmp_path / "mounts"
        mounts.write_text(
            "/dev/vda / ext4 rw 0 0\nhost:/x /mnt/share nfs4 rw 0 0\n"
            "/dev/vdb /mnt/share/local xfs rw 0 0\n//host/x /mnt/two\\040words cifs rw 0 0\nbad\n"
        )
        assert file_system(Path(file), mounts) == kind
        assert file_system(Path(file), tmp_path / "none") == ""

    @pytest.mark.parametrize(("kind", "network"), [("nfs4", "nfs4"), ("ext4", ""), ("", "")])
    def test_a_network_file_system_is_known_by_its_type(self, open_file, kind, network):
        """A local one is no reason to warn."""
        file = file_of(open_file)
        file._kind = kind
        assert file.network_kind() == network
