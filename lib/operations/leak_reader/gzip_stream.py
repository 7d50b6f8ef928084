"""Gzip (RFC 1952), unpacked as it is read.

`gzip.GzipFile` reads a file name in the header byte by byte, however long it is, and refuses what
follows the last member. Here zlib reads the header, and what follows can be searched.
"""

import zlib

from lib.operations.leak_reader.streams import Readable, Rewound

_GZIP = 16 + zlib.MAX_WBITS  # zlib's number for: gzip, with any window
_MAGIC = b"\x1f\x8b"
_READ = 65_536  # packed bytes


class GzipStream:
    """The content of all members of a gzip file."""

    def __init__(self, packed: Readable) -> None:
        """Unpack `packed` from its beginning."""
        self.packed_size = 0
        self._packed, self._waiting = packed, b""
        self._member = zlib.decompressobj(_GZIP)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` unpacked bytes; none at the end.

        Raises EOFError when the file is cut, zlib.error when it is damaged.
        """
        while not self._member.eof or self._begin_member():
            data = self._member.decompress(self._waiting or self._more(), size)
            self._waiting = self._member.unconsumed_tail
            if data:
                return data
        return b""

    def rest(self) -> Readable:
        """Return what follows the last member; to be asked at the end."""
        return Rewound(self._waiting, self._packed)

    def _more(self) -> bytes:
        data = self._packed.read(_READ)
        if not data:
            raise EOFError
        self.packed_size += len(data)
        return data

    def _begin_member(self) -> bool:
        """Tell whether another member follows, and begin it."""
        self._waiting = self._member.unused_data or self._waiting
        while len(self._waiting) < len(_MAGIC):
            data = self._packed.read(_READ)
            if not data:
                return False
            self._waiting += data
        if not self._waiting.startswith(_MAGIC):
            return False
        self._member = zlib.decompressobj(_GZIP)
        return True
