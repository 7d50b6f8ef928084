"""Archives and documents that hold other files: their kinds, and what was not looked into."""

from dataclasses import asdict, dataclass
from enum import Enum, StrEnum

_LONGEST_NAME = 60  # characters of each name in a path
#: How many of the first bytes of a file `kind_of` needs.
SIGNATURE_LENGTH = 512


class Kind(Enum):
    """The kinds of containers, each with the words that people know it by."""

    ZIP = "a zip archive"
    GZIP = "a gzip file"
    TAR = "a tar archive"
    SEVEN_ZIP = "a 7z archive"
    RAR = "a rar archive"
    PDF = "a PDF"
    OLE = "an Office document with a password or of the old format"
    BZIP2 = "a bzip2 file"
    XZ = "an xz file"
    ZSTD = "a zstd file"


_SIGNATURES = {
    b"PK\x03\x04": Kind.ZIP,
    b"PK\x05\x06": Kind.ZIP,  # without entries
    b"PK\x07\x08": Kind.ZIP,  # of several parts
    b"\x1f\x8b\x08": Kind.GZIP,
    b"7z\xbc\xaf\x27\x1c": Kind.SEVEN_ZIP,
    b"Rar!\x1a\x07": Kind.RAR,
    b"%PDF-": Kind.PDF,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Kind.OLE,
    b"BZh": Kind.BZIP2,
    b"\xfd7zXZ\x00": Kind.XZ,
    b"\x28\xb5\x2f\xfd": Kind.ZSTD,
}
_BZIP2_BLOCKS = {b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"}
_TAR_MAGIC = slice(257, 262)
#: What `lib.operations.leak_reader` opens. It names all other kinds.
OPENED = frozenset({Kind.ZIP, Kind.GZIP, Kind.TAR})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a leak is unpacked. README has the same numbers.

    `depth` counts containers inside of containers. `unpacked` (bytes) and `entries` are for a whole
    look-up. `ratio` is unpacked to packed size, of one entry. `block` is in characters of base64.
    """

    depth: int = 8
    unpacked: int = 100_000_000
    entries: int = 10_000
    ratio: int = 200
    block: int = 16_000_000


class Reason(StrEnum):
    """Why a file was not looked into, or not to its end: what follows after its name."""

    KIND = "is {kind}, which Recall does not open"
    ENCRYPTED = "is encrypted"
    METHOD = "is compressed by a method that Recall does not read"
    DAMAGED = "is damaged or not complete"
    DEPTH = "is inside of {depth} other archives, which is the limit"
    RATIO = "unpacks to more than {ratio} times its size: only the beginning was searched"
    UNPACKED = "goes over the limit of {unpacked:,} unpacked bytes: the rest was not searched"
    ENTRIES = "goes over the limit of {entries:,} entries: the rest was not searched"
    BLOCK = "has a file of more than {block:,} characters of base64"

    def words(self, limits: Limits, kind: Kind | None = None) -> str:
        """Return the words with the numbers of `limits` and the name of `kind`."""
        return self.format(kind=kind.value if kind else "", **asdict(limits))


#: What to do about files that were not looked into.
UNPACK_YOURSELF = "They may hold more tokens. Open or unpack them, and search what is in them."


@dataclass(frozen=True, slots=True)
class NotLookedInto:
    """A file that may hold tokens which were not found.

    `path` has the names from the outermost file to this one. `reason`
    is what follows after it in a sentence.
    """

    path: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """Return a sentence without its full stop."""
        return f"{' › '.join(self.path)} {self.reason}"


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of container that begins with `head`; None for any other file."""
    if head[_TAR_MAGIC] == b"ustar":
        return Kind.TAR
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return None if kind is Kind.BZIP2 and head[4:10] not in _BZIP2_BLOCKS else kind
    return None


def shown_name(name: str) -> str:
    """Return a file's name with what cannot be printed replaced, and cut to 60 characters."""
    printable = "".join(c if c.isprintable() else "\ufffd" for c in name[: _LONGEST_NAME + 1])
    return printable if len(name) <= _LONGEST_NAME else f"{printable[: _LONGEST_NAME - 1]}…"
