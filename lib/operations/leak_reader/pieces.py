"""The search of a stream in pieces that overlap, so that little of it is in memory."""

from collections.abc import Iterator

from lib.domain.leaks.search import LONGEST_WRAPPED, Findings, TokenSearch
from lib.operations.leak_reader.streams import Readable, fill

_PIECE = 1_000_000  # bytes


def search_pieces(stream: Readable, search: TokenSearch, longest: int) -> Iterator[Findings]:
    """Yield what each piece of `stream` has. Raises what `stream` raises, after its last piece.

    A piece overlaps the next one by more than any wrapped token takes. It grows while a container
    in base64 goes on behind it, up to `longest` bytes; findings that are cut then have the rest of
    it missing.
    """
    buffer = bytearray()
    has_ended = False
    while not has_ended:
        try:
            has_ended = fill(buffer, stream, max(_PIECE, len(buffer)))
        except Exception:
            yield search.search(bytes(buffer))
            raise
        findings = search.search(bytes(buffer))
        findings.is_cut &= not has_ended
        if findings.is_cut and len(buffer) < longest:
            continue
        yield findings
        del buffer[:-LONGEST_WRAPPED]
