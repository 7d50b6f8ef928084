"""Zip archives (and docx, xlsx, jar …): their entries, read by the standard library with care.

`zipfile` takes the whole directory into memory and unpacks bzip2 and LZMA without a limit.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO

from lib.domain.leaks.containers import Reason
from lib.operations.leak_reader.streams import LimitReached

#: What zipfile raises for archives that are none, damaged or hostile; tried with changed bytes.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OverflowError,
    LookupError,
    OSError,
)
_READ_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 1  # a bit of an entry's flags
# Bytes of one read: a directory of 10,000 entries with names of 300 characters.
_LARGEST_READ = 4_000_000


class _BoundedReads(io.BufferedIOBase):
    """A file that refuses to read a huge directory at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        data = self._file.read(_LARGEST_READ + 1 if size < 0 else min(size, _LARGEST_READ + 1))
        if len(data) > _LARGEST_READ:
            raise LimitReached(Reason.ENTRIES)
        return data


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One file in a zip archive; `refusal` says why it cannot be read."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def refusal(self) -> Reason | None:
        """Return why the entry cannot be read, None when it can."""
        if self.info.flag_bits & _ENCRYPTED:
            return Reason.ENCRYPTED
        return None if self.info.compress_type in _READ_METHODS else Reason.METHOD

    def open(self) -> "UnpackedEntry":
        """Return the content. Raises one of ZIP_ERRORS, and so does reading it."""
        return UnpackedEntry(self.archive.open(self.info), self.info.compress_size)


@dataclass(frozen=True, slots=True)
class UnpackedEntry:
    """The content of an entry, and how many bytes it takes in the archive."""

    content: IO[bytes]
    packed_size: int

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        return self.content.read(size)


def zip_entries(file: BinaryIO) -> Iterator[ZipEntry]:
    """Yield the entries of an archive that can be read at any place.

    Raises LimitReached for a huge directory, and one of ZIP_ERRORS.
    """
    with zipfile.ZipFile(_BoundedReads(file)) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield ZipEntry(archive, info)
