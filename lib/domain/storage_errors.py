"""What is wrong with the database's file, the data folder, the pooler or the keys.

All are kinds of DatabaseUnavailableError, so that whoever answers 503, or shows a sentence, does so
for these too. `lib.wording.unavailable` has the sentences.
"""

from dataclasses import dataclass
from enum import StrEnum

from lib.domain.errors import DatabaseUnavailableError


class FileFault(StrEnum):
    """What is wrong with the file of a SQLite database."""

    NO_FOLDER = "no folder"
    IS_FOLDER = "is folder"
    FORBIDDEN = "forbidden"  # it, or its folder, belongs to another user
    NOT_A_DATABASE = "not a database"
    DAMAGED = "damaged"
    DELETED = "deleted"  # while this process had it open
    REPLACED = "replaced"  # as well


@dataclass
class DatabaseFileError(DatabaseUnavailableError):
    """The file of the SQLite database cannot be used, or is not the one that was opened."""

    code = "StoreFile"

    fault: FileFault


class PoolerModeError(DatabaseUnavailableError):
    """A prepared statement got lost: a pooler gives each transaction another connection."""

    code = "StorePoolerMode"


@dataclass
class DataFolderError(DatabaseUnavailableError):
    """The data folder, or the demo's pepper in it, cannot be made or read.

    `number` is the number of the system's error (`errno`).
    """

    code = "DataFolder"

    is_pepper: bool
    number: int


@dataclass
class PepperDamagedError(DatabaseUnavailableError):
    """The file of the demo's pepper does not hold one; `reason` says what it must."""

    code = "PepperDamaged"

    reason: str


@dataclass
class OtherPepperError(DatabaseUnavailableError):
    """The peppers with these numbers are not those that the database was used with before.

    `free` is the first number that no key has. `is_stored`: the pepper comes from the data folder,
    and not from the setting.
    """

    code = "OtherPepper"

    numbers: tuple[int, ...]
    free: int
    is_stored: bool = False
