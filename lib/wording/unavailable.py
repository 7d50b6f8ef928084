"""Sentences about a database, folder or key that cannot be used: for pages, API and commands."""

import errno
import os
from collections.abc import Mapping

from lib.domain import storage_errors as storage
from lib.domain.errors import (
    AuditNotWrittenError,
    DatabaseBusyError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
)
from lib.domain.storage_errors import FileFault

_OWNER = "give it to the user who runs Token Desk (chown), or run Token Desk as its owner."
_RESTART = "Put it back, or restart Token Desk to use what is there now."

_FILES: Mapping[FileFault, str] = {
    FileFault.NO_FOLDER: "The database cannot be opened: its folder does not exist. Nothing was"
    " changed; make the folder, or correct DATABASE_URL.",
    FileFault.IS_FOLDER: "The database cannot be opened: DATABASE_URL names a folder. Nothing was"
    " changed; name a file in it.",
    FileFault.FORBIDDEN: "The database cannot be opened: its file or folder is closed to this user."
    f" Nothing was changed; {_OWNER}",
    FileFault.NOT_A_DATABASE: "The database cannot be opened: its file is no SQLite database."
    " Nothing was changed; correct DATABASE_URL, or move the file away.",
    FileFault.DAMAGED: "The database's file is damaged. Nothing was changed; stop Token Desk and"
    " restore a backup (README, “Back up and restore”).",
    FileFault.DELETED: "The database's file was deleted while Token Desk was running. Nothing was"
    f" changed. {_RESTART}",
    FileFault.REPLACED: "The database's file was replaced while Token Desk was running. Nothing was"
    f" changed. {_RESTART}",
}
_FOLDER_FIXES: Mapping[int, str] = {
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
    errno.EROFS: "make it writable, or set DATABASE_URL and TOKEN_DESK_PEPPERS, which need no"
    " folder.",
    errno.ENOSPC: "free some space first.",
    errno.EDQUOT: "free some space first.",
}
_KINDS: Mapping[type[Exception], str] = {
    DatabaseBusyError: "Another program is writing to the database. Nothing was changed; try again"
    " in a moment.",
    DatabaseReadOnlyError: "The database is read-only. Nothing was changed; as soon as its file and"
    " folder, or its server, can be written it works again.",
    DatabaseFullError: "There is no disk space left for the database. Nothing was changed; free"
    " some space first.",
    storage.PoolerModeError: "The pooler before PostgreSQL lost a prepared statement. Nothing was"
    " changed; set pool_mode=session in PgBouncer, the only mode that Token Desk works with.",
    AuditNotWrittenError: "The audit trail cannot be written. Nothing was changed; check the table"
    " audit_event and the log of the database.",
}
_UNREACHED = (
    "The database cannot be reached. Nothing was changed; check DATABASE_URL, and whether its"
    " server runs, then try again."
)


def explain_unavailable(error: DatabaseUnavailableError | AuditNotWrittenError) -> str:
    """Return the sentence for `error`: what is wrong, and how to mend it. It names no path."""
    match error:
        case storage.DatabaseFileError():
            return _FILES[error.fault]
        case storage.DataFolderError():
            return _folder(error)
        case storage.PepperDamagedError():
            return f"The file pepper in the folder of TOKEN_DESK_DATA is damaged: {error.reason}."
        case storage.OtherPepperError():
            return _other_pepper(error)
    return _KINDS.get(type(error), _UNREACHED)


def _folder(error: storage.DataFolderError) -> str:
    what = "The demo's pepper cannot be stored or read in the folder of TOKEN_DESK_DATA"
    if not error.is_pepper:
        what = "The folder of TOKEN_DESK_DATA cannot be used"
    fix = _FOLDER_FIXES.get(error.number, "correct TOKEN_DESK_DATA, or mend the folder.")
    return f"{what}: {os.strerror(error.number)}. Nothing was changed; {fix}"


def _other_pepper(error: storage.OtherPepperError) -> str:
    if error.is_stored:
        return (
            "The file pepper in the folder of TOKEN_DESK_DATA holds another key than the one that"
            " this database was sealed with. Nothing was changed; put the old file back, or set"
            " TOKEN_DESK_PEPPERS to the old key."
        )
    numbers = ", ".join(map(str, error.numbers))
    first = error.numbers[0]
    return (
        f"TOKEN_DESK_PEPPERS: the key with the number {numbers} is another one than this database"
        " was sealed with. Nothing was changed. Keep the old key, and give the new one the next"
        f" number: TOKEN_DESK_PEPPERS={first}:<old key>,{error.free}:<new key>. If the setting was"
        " not set before, the file pepper in the folder of TOKEN_DESK_DATA holds the old key."
    )
