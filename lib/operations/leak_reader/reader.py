"""The search of leaked files, and of what is packed in them."""

import hashlib
import io
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias, cast

from lib.domain.leaks.containers import (
    OPENED,
    SIGNATURE_LENGTH,
    Kind,
    Limits,
    NotLookedInto,
    Reason,
    kind_of,
    shown_name,
)
from lib.domain.leaks.search import TokenSearch
from lib.operations.leak_reader.gzip_stream import GzipStream
from lib.operations.leak_reader.pieces import search_pieces
from lib.operations.leak_reader.streams import (
    Budget,
    LimitedStream,
    LimitReached,
    Readable,
    Rewound,
    read_up_to,
)
from lib.operations.leak_reader.tar_entries import TarDamaged, name_of, tar_entries
from lib.operations.leak_reader.zip_entries import ZIP_ERRORS, ZipEntry, zip_entries

_IN_MEMORY = 16_000_000  # bytes of a zip archive from a pipe, before it goes to a temporary file
_CHUNK = 65_536  # bytes
_DAMAGED = (TarDamaged, EOFError, zlib.error)
_Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeakSource:
    """A leaked file, or a text that was pasted: a name for people, and the bytes."""

    name: str
    stream: BinaryIO


@dataclass(slots=True)
class Leak:
    """The tokens of a leak in clear, and the files that may hold more of them."""

    tokens: dict[str, None] = field(default_factory=dict, repr=False)
    not_looked_into: dict[NotLookedInto, None] = field(default_factory=dict)


def pasted(text: str) -> LeakSource:
    """Return a text as a source."""
    return LeakSource("the text", io.BytesIO(text.encode(errors="replace")))


def read_leak(sources: Iterable[LeakSource], prefix: str, limits: Limits | None = None) -> Leak:
    """Return the tokens with `prefix` in all `sources` together. Raises OSError of their streams.

    What is packed is within one budget for all of them.
    """
    reader = _Reader(TokenSearch(prefix), limits or Limits())
    for source in sources:
        reader.read(source)
    return reader.leak


class _Reader:
    """One look-up: its findings, and what it may still unpack."""

    def __init__(self, search: TokenSearch, limits: Limits) -> None:
        self.leak = Leak()
        self._search, self._limits, self._budget = search, limits, Budget(limits)
        #: Digests of containers in base64: a piece and its overlap have the same.
        self._opened: set[bytes] = set()

    def read(self, source: LeakSource) -> None:
        """Search one source. Raises OSError."""
        path = (shown_name(source.name),)
        head = read_up_to(source.stream, SIGNATURE_LENGTH)
        whole = Rewound(head, source.stream)
        with suppress(LimitReached):  # it was noted when it was reached
            if kind_of(head) is Kind.ZIP:
                with _random_access(source.stream, whole) as file:
                    self._search_zip(file, path)
            else:
                self._search_any(whole, path)

    def _search_any(self, stream: Readable, path: _Path) -> None:
        """Search a stream of anything. Raises LimitReached when no more may be searched."""
        head = read_up_to(stream, SIGNATURE_LENGTH)
        whole = Rewound(head, stream)
        kind = kind_of(head)
        with self._problems_noted(path, _DAMAGED):
            if kind is None:
                self._search_plain(whole, path)
            elif kind not in OPENED:
                self._note(path, Reason.KIND, kind)
                self._search_plain(whole, path)
            elif len(path) > self._limits.depth:
                self._note(path, Reason.DEPTH)
                self._search_plain(whole, path)
            elif kind is Kind.GZIP:
                self._search_gzip(whole, path)
            elif kind is Kind.TAR:
                self._search_tar(whole, path)
            else:
                self._search_zip(_in_memory(whole), path)

    def _search_plain(self, stream: Readable, path: _Path) -> None:
        """Search the bytes as they are, and the containers that are in base64 in them."""
        for findings in search_pieces(stream, self._search, self._limits.block):
            self.leak.tokens.update(findings.tokens)
            if findings.is_cut:
                self._note(path, Reason.BLOCK)
            for content in findings.containers:
                self._search_in_base64(content, path)

    def _search_in_base64(self, content: bytes, path: _Path) -> None:
        digest = hashlib.blake2b(content).digest()
        if digest not in self._opened:
            self._opened.add(digest)
            path = (*path, "(base64)")
            with self._problems_noted(path):
                self._budget.add_entry()
                self._budget.add_unpacked(len(content))
            self._search_any(io.BytesIO(content), path)

    def _search_gzip(self, stream: Readable, path: _Path) -> None:
        self._budget.add_entry()
        content = GzipStream(stream)
        self._search_any(LimitedStream(content, self._budget), (*path, "(unpacked)"))
        self._search_plain(content.rest(), path)

    def _search_tar(self, stream: Readable, path: _Path) -> None:
        for header, content in tar_entries(stream):
            self._budget.add_entry()
            self.leak.tokens.update(self._search.search(header).tokens)
            self._search_any(content, (*path, shown_name(name_of(header))))

    def _search_zip(self, file: BinaryIO, path: _Path) -> None:
        """Search the entries, then the archive as it is: names, comments and what is around it."""
        try:
            with self._problems_noted(path, ZIP_ERRORS):
                for entry in zip_entries(file):
                    self._budget.add_entry()
                    self._search_entry(entry, path)
        finally:
            file.seek(0)
            self._search_plain(file, path)

    def _search_entry(self, entry: ZipEntry, archive: _Path) -> None:
        path = (*archive, shown_name(entry.info.filename))
        if entry.refusal:
            self._note(path, entry.refusal)
            return
        with self._problems_noted(path, ZIP_ERRORS):
            self._search_any(LimitedStream(entry.open(), self._budget), path)

    @contextmanager
    def _problems_noted(
        self, path: _Path, errors: tuple[type[Exception], ...] = ()
    ) -> Iterator[None]:
        """Note what ends the search of one file. Raises LimitReached when it ends all search."""
        try:
            yield
        except LimitReached as limit:
            if not limit.is_noted:
                limit.is_noted = True
                self._note(path, limit.reason)
            if limit.ends_all:
                raise
        except errors:
            self._note(path, Reason.DAMAGED)

    def _note(self, path: _Path, reason: Reason, kind: Kind | None = None) -> None:
        note = NotLookedInto(path, reason.words(self._limits, kind))
        self.leak.not_looked_into[note] = None


@contextmanager
def _random_access(stream: BinaryIO, whole: Readable) -> Iterator[BinaryIO]:
    """Yield `stream` from its beginning, or its copy in a temporary file when it is a pipe."""
    if stream.seekable():
        stream.seek(0)
        yield stream
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        copy = cast("BinaryIO", file)
        _copy(whole, copy)
        yield copy


def _in_memory(stream: Readable) -> BinaryIO:
    """Return the rest of `stream` as a file. Raises LimitReached."""
    file = io.BytesIO()
    _copy(stream, file)
    return file


def _copy(stream: Readable, file: BinaryIO) -> None:
    while data := stream.read(_CHUNK):
        file.write(data)
    file.seek(0)
