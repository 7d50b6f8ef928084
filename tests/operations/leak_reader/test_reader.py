"""The search of leaked files and archives, and the limits on what is unpacked."""

import base64
import gzip
import io
import os
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.leaks.containers import Limits
from lib.domain.token_format import mint
from lib.operations.leak_reader.reader import Leak, LeakSource, pasted, read_leak
from tests.support.leak_forms import (
    FILES,
    FORMS,
    encrypted_zip,
    quoted_printable,
    tar,
    zipped,
)
from tests.support.made_tokens import TOKENS, candidates

SMALL = Limits(depth=4, unpacked=2_000_000, entries=20, ratio=50, block=2_000_000)
_PIECE = 1_000_000


def read(content: bytes, limits: Limits | None = None, name: str = "leak") -> Leak:
    """Search one file."""
    return read_leak([LeakSource(name, io.BytesIO(content))], "demo", limits)


def notes(leak: Leak) -> list[str]:
    """Return what was not looked into, as sentences."""
    return [str(note) for note in leak.not_looked_into]


def many(count: int, content: bytes = b"x") -> bytes:
    """Return a zip archive with so many files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(str(number), content)
    return file.getvalue()


#: Each wraps any bytes.
CONTAINERS = {
    "zip": zipped,
    "gzip": gzip.compress,
    "tar": lambda content: tar(content, mode="w:"),
    "tar.gz": tar,
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "base64 in a mail": lambda content: (
        b"From: jdoe@example.com\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(content).replace(b"\n", b"\r\n")
        + b"--=_boundary--\r\n"
    ),
}


class TestFound:
    """Tokens that are found."""

    @pytest.mark.parametrize("form", FILES)
    def test_a_token_is_found_in_each_form_of_file(self, form):
        """And nothing is named as not looked into."""
        (token,) = mint(1, "demo")
        leak = read(FILES[form](token))
        assert (list(leak.tokens), notes(leak)) == ([token], [])

    @settings(max_examples=150)
    @given(TOKENS, st.lists(st.sampled_from(sorted(CONTAINERS)), max_size=3), st.binary())
    def test_a_token_is_found_in_any_three_containers(self, token, names, before):
        """Behind any bytes."""
        content = before + b"\n" + token.encode()
        for name in names:
            content = CONTAINERS[name](content)
        assert token in read(content).tokens

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    @pytest.mark.parametrize("form", FORMS)
    def test_a_token_is_found_in_a_file_of_any_encoding(self, form, encoding):
        """In UTF-8, and in UTF-16 as spreadsheets and PowerShell write it."""
        (token,) = mint(1, "demo")
        assert list(read(FORMS[form](token).encode(encoding)).tokens) == [token]

    @pytest.mark.parametrize(
        "form", ["white space", "all of it in a URL in a URL", "base64 in base64", "lines", "tags"]
    )
    def test_a_token_is_found_wherever_the_border_of_two_pieces_falls(self, form):
        """Pieces overlap."""
        (token,) = mint(1, "demo")
        leaked = FORMS[form](token).encode()
        for at in range(_PIECE - len(leaked) - 1, _PIECE + 2, max(1, len(leaked) // 4)):
            assert list(read(b"." * at + leaked + b"...").tokens) == [token]

    @pytest.mark.parametrize("size", [900_000, 1_400_000])
    def test_an_archive_in_base64_is_found_when_it_is_longer_than_a_piece(self, size):
        """It begins in one piece and ends in another."""
        (token,) = mint(1, "demo")
        mail = CONTAINERS["base64 in a mail"](zipped(os.urandom(size) + token.encode()))
        leak = read(b"." * 300_000 + mail + b"." * 2_000_000)
        assert (list(leak.tokens), notes(leak)) == ([token], [])

    def test_tokens_of_several_sources_are_found_together(self):
        """A text and a file."""
        one, two = mint(2, "demo")
        leak = read_leak([pasted(one), LeakSource("a", io.BytesIO(zipped(two.encode())))], "demo")
        assert set(leak.tokens) == {one, two}

    def test_a_leak_shows_no_token(self):
        """`repr` is what a traceback or a log may have."""
        (token,) = mint(1, "demo")
        assert token not in repr(read(token.encode()))


class TestNotLookedInto:
    """Files that are named."""

    @pytest.mark.parametrize(
        ("head", "kind"),
        [
            (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
            (b"Rar!\x1a\x07\x01\x00", "a rar archive"),
            (b"%PDF-1.7\n", "a PDF"),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
                "an Office document with a password or of the old format",
            ),
            (b"BZh91AY&SY", "a bzip2 file"),
            (b"\xfd7zXZ\x00\x00", "an xz file"),
            (b"\x28\xb5\x2f\xfd\x04", "a zstd file"),
        ],
    )
    @pytest.mark.parametrize("wrap", [bytes, zipped, tar, base64.b64encode])
    def test_another_kind_of_container_is_named(self, head, kind, wrap):
        """By its first bytes, wherever it is; what is plain in it is found."""
        (token,) = mint(1, "demo")
        leak = read(wrap(head + b"\0" * 60 + token.encode()))
        (note,) = notes(leak)
        assert note.startswith("leak")
        assert note.endswith(f"is {kind}, which Recall does not open")
        assert list(leak.tokens) == [token]

    def test_an_encrypted_entry_is_named_with_its_path(self):
        """The other entries are searched."""
        (token,) = mint(1, "demo")
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.zip", encrypted_zip("secret\u202e\n.txt"))
            archive.writestr("b.txt", token)
        leak = read(file.getvalue(), name="keys.zip")
        assert notes(leak) == ["keys.zip › a.zip › secret\ufffd\ufffd.txt is encrypted"]
        assert list(leak.tokens) == [token]

    def test_an_entry_of_another_method_is_named(self):
        """Python would unpack bzip2 and LZMA without a limit."""
        for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", method) as archive:
                archive.writestr("a", "x")
            reason = "is compressed by a method that Recall does not read"
            assert notes(read(file.getvalue())) == [f"leak › a {reason}"]

    @pytest.mark.parametrize("form", ["zip", "gzip", "tar", "tar.gz"])
    def test_a_cut_archive_is_named(self, form):
        """A download that was not finished; what came before the cut is found."""
        (token,) = mint(1, "demo")
        content = CONTAINERS[form](token.encode() + os.urandom(100_000))
        leak = read(content[:60_000])
        assert all(note.endswith("is damaged or not complete") for note in notes(leak))
        assert notes(leak)
        assert list(leak.tokens) == [token]

    def test_an_archive_over_the_depth_is_named(self):
        """Three levels are searched in any case."""
        content = b"x"
        for _ in range(12):
            content = zipped(content)
        (note,) = notes(read(content))
        assert note.endswith("is inside of 8 other archives, which is the limit")

    def test_an_archive_with_too_many_entries_is_named(self):
        """And what is searched until then is found."""
        reason = "goes over the limit of 20 entries: the rest was not searched"
        assert notes(read(many(21), SMALL)) == [f"leak {reason}"]
        assert notes(read(many(20), SMALL)) == []

    def test_an_archive_that_unpacks_to_too_much_is_named_once(self):
        """The limit is for all entries together."""
        (note,) = notes(read(many(9, os.urandom(300_000)), SMALL))
        assert note == (
            "leak › 6 goes over the limit of 2,000,000 unpacked bytes: the rest was not searched"
        )

    def test_a_large_file_in_base64_is_named(self):
        """It would have to be in memory as a whole."""
        content = base64.b64encode(zipped(os.urandom(2_500_000)))
        reason = "leak has a file of more than 2,000,000 characters of base64"
        assert reason in notes(read(content, SMALL))

    @settings(max_examples=200)
    @given(st.sampled_from(["zip", "tar.gz", "gzip", "tar"]), st.data(), st.binary(max_size=8))
    def test_a_damaged_archive_raises_no_error(self, form, data, garbage):
        """Any bytes of it may be others."""
        content = bytearray(CONTAINERS[form](b"x" * 50))
        at = data.draw(st.integers(0, len(content)))
        content[at : at + len(garbage)] = garbage
        assert list(read(bytes(content)).tokens) == []


class TestBombs:
    """Small files that unpack to much."""

    @pytest.mark.parametrize("form", ["zip", "gzip", "tar.gz"])
    def test_a_bomb_is_named_and_takes_little_memory(self, form):
        """20 MB of zeros; what stands at its beginning is found."""
        (token,) = mint(1, "demo")
        bomb = CONTAINERS[form](token.encode() + bytes(20_000_000))
        tracemalloc.start()
        leak = read(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        (note,) = notes(leak)
        assert note.endswith(
            "unpacks to more than 200 times its size: only the beginning was searched"
        )
        assert list(leak.tokens) == [token]
        assert peak < 30_000_000

    def test_a_bomb_of_archives_in_archives_is_named(self):
        """Sixteen to each of four levels are 65,536 files."""
        content = b"x"
        for _ in range(4):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for number in range(16):
                    archive.writestr(str(number), content)
            content = file.getvalue()
        (note,) = notes(read(content, Limits(entries=500)))
        assert note.endswith("goes over the limit of 500 entries: the rest was not searched")

    def test_a_huge_directory_is_not_taken_into_memory(self):
        """An archive of 200,000 empty files."""
        entry = many(1)
        directory = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")] * 200_000
        end = bytearray(entry[entry.index(b"PK\x05\x06") :])
        end[12:16] = len(directory).to_bytes(4, "little")
        content = entry[: entry.index(b"PK\x01\x02")] + directory + bytes(end)
        (note,) = notes(read(content))
        assert note == "leak goes over the limit of 10,000 entries: the rest was not searched"

    def test_beginnings_of_archives_in_base64_take_little_time(self):
        """A block of them is not decoded from each of them on."""
        assert read(b"UEsDBAAA" * 20_000 + b"H4sIAAAAAAAA" * 20_000).tokens == {}


class TestLookalikes:
    """What only looks like a token."""

    @pytest.mark.soak
    def test_two_million_chance_hits_are_none(self):
        """Of two million candidates none has the right checksum: by chance 1 in 57 billion has."""
        text = candidates(2_000_000)
        assert text.count("demo_") == 2_000_000
        assert read(text.encode()).tokens == {}

    def test_quoted_printable_of_chance_hits_is_none(self):
        """Nor are those that are wrapped."""
        assert read(quoted_printable(candidates(2_000)).encode()).tokens == {}
