"""Tar (POSIX.1-1988 and its successors) as a stream of entries.

A search needs the border and the content of each entry, and nothing of its owner, links or holes.
So each entry is its stored bytes, and one for a long name is an entry too. `tarfile` takes such a
name, of any size that its header claims, into memory.
"""

from collections.abc import Iterator

from lib.operations.leak_reader.streams import Part, Readable, read_up_to

_BLOCK = 512
_NAME, _SIZE, _CHECKSUM, _TYPE = slice(0, 100), slice(124, 136), slice(148, 156), 156
_SPARSE, _GOES_ON, _MAP_GOES_ON = ord("S"), 482, 504  # GNU's map of holes
_WITHOUT_CONTENT = b"123456"  # links, devices, folders


class TarDamaged(Exception):
    """A header is none."""


def tar_entries(stream: Readable) -> Iterator[tuple[bytes, Part]]:
    """Yield the header and the content of each entry. A content is to be read before the next.

    Raises TarDamaged, and EOFError when the archive is cut.
    """
    while header := read_up_to(stream, _BLOCK):
        if not header.strip(b"\0"):
            return
        size = _size(header)
        if header[_TYPE] == _SPARSE and header[_GOES_ON]:
            while read_up_to(stream, _BLOCK)[_MAP_GOES_ON:][:1] not in {b"\0", b""}:
                pass
        content = Part(stream, size)
        yield header, content
        padding = Part(stream, -size % _BLOCK)
        for rest in (content, padding):
            while rest.read(_BLOCK * _BLOCK):
                pass


def name_of(header: bytes) -> str:
    """Return the name in a header; a long one is cut."""
    return header[_NAME].split(b"\0")[0].decode(errors="replace")


def _size(header: bytes) -> int:
    """Return how many bytes follow a header. Raises TarDamaged, EOFError."""
    if len(header) < _BLOCK:
        raise EOFError
    if sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ") != _number(header[_CHECKSUM]):
        raise TarDamaged
    return 0 if header[_TYPE] in _WITHOUT_CONTENT else _number(header[_SIZE])


def _number(field: bytes) -> int:
    """Return a number in octal digits, or in binary where the first bit is set (GNU)."""
    if field[0] == 0x80:  # noqa: PLR2004 - the first bit alone: a positive number follows
        return int.from_bytes(field[1:])
    try:
        number = int(field.split(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        raise TarDamaged from None
    if number < 0:
        raise TarDamaged
    return number
