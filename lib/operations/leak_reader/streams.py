"""Streams of bytes that are read in one direction, and the limits on what is unpacked."""

from typing import Protocol

from lib.domain.leaks.containers import Limits, Reason

_RATIO_COUNTS_FROM = 1_000_000  # bytes unpacked: small files of one repeated letter are no bombs


class LimitReached(Exception):
    """A limit ends the search of a file, or of all files (`ends_all`).

    `is_noted` is set when the file is among those that were not looked into.
    """

    def __init__(self, reason: Reason) -> None:
        """Say which limit, by the reason that is shown."""
        super().__init__(reason)
        self.reason = reason
        self.ends_all = reason in {Reason.UNPACKED, Reason.ENTRIES}
        self.is_noted = False


class Readable(Protocol):
    """Anything that can be read from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


class Budget:
    """What a look-up may still unpack."""

    def __init__(self, limits: Limits) -> None:
        """Begin with nothing unpacked."""
        self.limits = limits
        self._unpacked = self._entries = 0

    def add_entry(self) -> None:
        """Count an entry. Raises LimitReached."""
        self._entries += 1
        if self._entries > self.limits.entries:
            raise LimitReached(Reason.ENTRIES)

    def room(self, size: int) -> int:
        """Return how many of `size` more bytes may be unpacked. Raises LimitReached for none."""
        room = min(size, self.limits.unpacked - self._unpacked)
        if room <= 0:
            raise LimitReached(Reason.UNPACKED)
        return room

    def add_unpacked(self, size: int) -> None:
        """Count unpacked bytes. Raises LimitReached when they are more than may be."""
        self._unpacked += size
        if self._unpacked > self.limits.unpacked:
            raise LimitReached(Reason.UNPACKED)


class LimitedStream:
    """An unpacked stream within the budget, and within the ratio to its packed size."""

    def __init__(self, unpacked: "Unpacking", budget: Budget) -> None:
        """Wrap a stream that tells how many packed bytes it has read."""
        self._stream, self._budget, self._size = unpacked, budget, 0
        #: Raised again at each further read, so that it is noted once.
        self._over_ratio = LimitReached(Reason.RATIO)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end. Raises LimitReached."""
        most = self._budget.limits.ratio * self._stream.packed_size
        if self._size > max(most, _RATIO_COUNTS_FROM):
            raise self._over_ratio
        data = self._stream.read(self._budget.room(size))
        self._budget.add_unpacked(len(data))
        self._size += len(data)
        return data


class Unpacking(Readable, Protocol):
    """A stream that unpacks another one."""

    @property
    def packed_size(self) -> int:
        """Return how many packed bytes it needed so far, or needs as a whole."""


class Rewound:
    """A stream whose first bytes were read already, as if they were not."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        """Put `head` before what `stream` still has."""
        self._head, self._stream = head, stream

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._stream.read(size)


class Part:
    """The next `size` bytes of a stream."""

    def __init__(self, stream: Readable, size: int) -> None:
        """Read no further than `size` bytes. Raises EOFError later when there are less."""
        self._stream, self._left = stream, size

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end. Raises EOFError."""
        if not self._left:
            return b""
        data = self._stream.read(min(size, self._left))
        if not data:
            raise EOFError
        self._left -= len(data)
        return data


def fill(buffer: bytearray, stream: Readable, size: int) -> bool:
    """Append up to `size` bytes of `stream` to `buffer`; tell whether the stream has ended.

    When the stream raises an error, `buffer` has what came before it.
    """
    wanted = len(buffer) + size
    while len(buffer) < wanted:
        data = stream.read(min(wanted - len(buffer), 65_536))
        if not data:
            return True
        buffer += data
    return False


def read_up_to(stream: Readable, size: int) -> bytes:
    """Return the next `size` bytes of `stream`, less only at its end."""
    buffer = bytearray()
    fill(buffer, stream, size)
    return bytes(buffer)
