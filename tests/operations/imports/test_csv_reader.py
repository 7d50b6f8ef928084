"""Files as spreadsheets, exporters and editors really write them."""

import zipfile
from io import BytesIO

import pytest

from lib.operations.imports.csv_reader import FileError, Record, read_records

TEXT = "username,name\njdoe,Zoë Doe\n"
ROWS = [Record(1, ["username", "name"]), Record(2, ["jdoe", "Zoë Doe"])]


def read(text: str | bytes) -> list[Record]:
    """Return the rows of a file."""
    return [*read_records(text if isinstance(text, bytes) else text.encode())]


def zipped() -> bytes:
    """Return a zip archive with a CSV in it."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("users.csv", TEXT)
    return archive.getvalue()


class TestEncodings:
    """What the bytes mean."""

    @pytest.mark.parametrize("marks", [0, 1, 2, 3])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
    def test_byte_order_marks_are_no_text_however_many(self, encoding, marks):
        """An exporter that adds a mark to a file that has one leaves two."""
        assert read(("\ufeff" * marks + TEXT).encode(encoding)) == ROWS

    def test_utf_32_is_read_when_it_has_its_mark(self):
        """Its mark begins as that of UTF-16 does."""
        assert read(TEXT.encode("utf-32")) == ROWS

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (TEXT.encode("latin-1"), "line 2 is not UTF-8; save the file as CSV UTF-8"),
            (f"a\rb\r\n{TEXT}".encode("cp1252"), "line 4 is not UTF-8"),
            (TEXT.encode("utf-16")[:-1], "line 2 is not UTF-16-LE"),
            (b"\xef\xbb\xbf", "the file is empty"),
            (b"", "the file is empty; its first line must name the columns"),
            (b"\x1a", "the file is empty"),
            (b"sep=;\r\n", "the file is empty"),
            (zipped(), r"a zip archive or an Excel workbook \(.xlsx\), no CSV; open it"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"an old Excel workbook \(.xls\)"),
            (b"\x1f\x8b\x08\x00", "a gzip archive"),
            (b"%PDF-1.7", "a PDF"),
        ],
    )
    def test_a_file_is_refused_when_it_is_no_text(self, content, sentence):
        """The sentence says what it is, and what to do."""
        with pytest.raises(FileError, match=sentence):
            read(content)

    @pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\n\x1a\r\n", "\n\n \t\n", "\n\ufeff"])
    def test_the_end_is_no_row(self, end):
        """A program in the manner of MS-DOS writes 0x1A; a spreadsheet leaves empty rows."""
        assert read(TEXT.rstrip() + end) == ROWS


class TestSeparators:
    """What stands between cells."""

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^"])
    @pytest.mark.parametrize("first", ["sep={}\r\n", '"sep={}"\n', "SEP={}\r", "\ufeffsep={}\n"])
    def test_a_first_line_names_the_separator(self, separator, first):
        """Excel writes it; the rows keep the numbers of their lines."""
        text = first.format(separator) + TEXT.replace(",", separator)
        assert read(text) == [Record(line + 1, cells) for line, cells in ROWS]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_the_separator_is_counted_outside_quotation_marks(self, separator):
        """A header may hold the other ones, and a line break."""
        header = separator.join(['"a;;;;,,,,\t\t\t\t\n;;;;"', "b", "c"])
        assert read(f"{header}\n{separator.join('123')}\n") == [
            Record(1, ["a;;;;,,,,\t\t\t\t\n;;;;", "b", "c"]),
            Record(3, ["1", "2", "3"]),
        ]

    def test_the_separator_is_counted_in_the_first_row_when_lines_end_in_cr(self):
        """Or a file of an old Macintosh would be cut at the semicolons of its cells."""
        text = 'id,types\r1,"Deed; Lien; Plat; Lease"\r2,"Deed; Lien; Plat; Lease"\r'
        assert [record.cells for record in read(text)] == [
            ["id", "types"],
            ["1", "Deed; Lien; Plat; Lease"],
            ["2", "Deed; Lien; Plat; Lease"],
        ]

    def test_empty_lines_before_the_header_are_passed_over(self):
        """They count as lines."""
        assert read(f"\n \n{TEXT}") == [Record(line + 2, cells) for line, cells in ROWS]

    def test_a_quotation_mark_that_never_closes_is_refused(self):
        """Also in the header, which then is the whole file."""
        with pytest.raises(FileError, match="starts on line 1 a quotation mark"):
            read('"username,name\njdoe,Jane Doe\n' * 3)
