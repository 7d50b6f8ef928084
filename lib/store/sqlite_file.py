"""The file of a SQLite database: private when made, and the same one as long as a process runs."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from lib.domain.errors import DatabaseReadOnlyError, DatabaseUnavailableError
from lib.domain.storage_errors import DatabaseFileError, FileFault

_OPTION = "desk_file"  # execution option of an engine
_READ_ONLY = "desk_read_only"  # of a connection: what its file was when it was opened
_MOUNTS = Path("/proc/self/mounts")
_MOUNT_FIELDS = 3  # device, mount point, type, and more
#: Where the locks of two machines, or a shared memory file, are not what SQLite needs.
_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2", "smb3"}
    | {"fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "smbfs"}
)


class SqliteFile:
    """The file as the first connection of an engine found it."""

    def __init__(self) -> None:
        """Know nothing before the first connection."""
        self._path = ""
        self._identity: tuple[int, int] | None = None
        self._kind = ""  # of the file system

    def before_connection(
        self,
        _dialect: Dialect,
        _record: object,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
    ) -> None:
        """Create the file with mode 600 at the first connection; later it must be the same.

        SQLite would create it with the umask. It gives the files beside it (`-wal`, `-shm`,
        `-journal`) the same mode. An existing file keeps its mode. Raises DatabaseFileError.
        """
        if self._identity:
            self.check()
            return
        self._path, creates = _file_of(str(arguments[0]), is_uri=bool(options.get("uri")))
        if creates:
            # SQLite itself reports a file that cannot be created. A dangling link is resolved.
            with contextlib.suppress(OSError, RuntimeError):
                file = Path(self._path).resolve()
                file.touch(mode=0o600, exist_ok=False)
                file.chmod(0o600)

    def after_connection(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """Remember which file was opened first. The connection has read from it."""
        if self._path and self._identity is None:
            with contextlib.suppress(OSError):
                self._kind = file_system(Path(self._path).resolve())
                self._identity = self._found()
        if self._path:
            record.info[_READ_ONLY] = not _may(Path(self._path), os.W_OK)
            _make_writable_beside(Path(self._path).resolve())

    def is_outdated(self, connection: Connection) -> bool:
        """Tell whether `connection` was opened while the file was read-only, which it is no more.

        Such a connection stays read-only for ever.
        """
        return bool(connection.info.get(_READ_ONLY)) and _may(Path(self._path), os.W_OK)

    def check(self) -> None:
        """Raise DatabaseFileError if the path no longer names the file that was opened.

        SQLite does not notice: it goes on writing to the file that has no name any more.
        """
        if self._identity is None:
            return
        try:
            same = self._found() == self._identity
        except OSError:
            raise DatabaseFileError(FileFault.DELETED) from None
        if not same:
            raise DatabaseFileError(FileFault.REPLACED)

    def _found(self) -> tuple[int, int]:
        """Return what tells the file from another one: on FUSE only that it is there.

        FUSE numbers a file anew after it was closed (seen with exFAT).
        """
        found = os.stat(self._path)  # noqa: PTH116 - Path takes twice as long; each lookup does this
        return found.st_dev, 0 if self._kind.startswith("fuse") else found.st_ino

    def network_kind(self) -> str:
        """Return the type of the network file system that the file is on; empty for a local one."""
        return self._kind if self._kind in _NETWORK else ""

    def explain(self, error: DatabaseUnavailableError) -> DatabaseUnavailableError:
        """Return `error`, or a closer one where the file or its folder shows the reason."""
        if type(error) is not DatabaseUnavailableError or not self._path:
            return error
        file, folder = Path(self._path), Path(self._path).resolve().parent
        try:
            if not folder.is_dir():
                return DatabaseFileError(FileFault.NO_FOLDER)
            if file.is_dir():
                return DatabaseFileError(FileFault.IS_FOLDER)
            readable = _may(file, os.R_OK) if file.exists() else _may(folder, os.W_OK)
        except PermissionError:
            readable = False
        if not readable:
            return DatabaseFileError(FileFault.FORBIDDEN)
        return error if _may(folder, os.W_OK) else DatabaseReadOnlyError()


def file_system(file: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system of `file`, as `mounts` lists it; empty if unknown."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    found = [line.split()[1:3] for line in lines if len(line.split()) > _MOUNT_FIELDS]
    # Later mounts hide earlier ones; the mount point writes a space as \040.
    kinds = {Path(at.replace("\\040", " ")): kind for at, kind in found}
    return next((kinds[at] for at in (file, *file.parents) if at in kinds), "")


def _make_writable_beside(file: Path) -> None:
    """Let the owner write the files beside the database, which SQLite gives the database's mode.

    Made while the database is read-only, they would keep it so when it is writable again.
    """
    for end in ("-wal", "-shm"):
        beside = file.with_name(file.name + end)
        if beside.exists() and not _may(beside, os.W_OK):
            with contextlib.suppress(OSError):
                beside.chmod(beside.stat().st_mode | 0o200)


def options_of(file: SqliteFile) -> dict[str, SqliteFile]:
    """Return the execution options that tell an engine's file."""
    return {_OPTION: file}


def file_of(engine: Engine) -> SqliteFile | None:
    """Return the file of an engine of ours; None for another database."""
    file: SqliteFile | None = engine.get_execution_options().get(_OPTION)
    return file


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _file_of(name: str, *, is_uri: bool) -> tuple[str, bool]:
    """Return the path that SQLite opens for `name`, empty for none, and whether it creates it."""
    if not is_uri or not name.startswith("file:"):
        return ("", False) if name == ":memory:" else (name, True)
    uri = urlsplit(name)
    if uri.path == ":memory:":
        return "", False
    return unquote(uri.path), dict(parse_qsl(uri.query)).get("mode", "rwc") == "rwc"
