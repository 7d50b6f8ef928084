"""Read the rows of a CSV file as spreadsheets, exporters and editors really write it.

UTF-8 or UTF-16, with byte order marks or without; commas, semicolons or tabs, also named by a first
line `sep=;`; line ends of Unix, Windows and old Macintoshes.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\s,;]*', re.IGNORECASE)  # Excel's own
_BYTE_ORDER_MARK = "\ufeff"
_END_OF_FILE = "\x1a"  # Ctrl+Z, which programs in the manner of MS-DOS write last
_LONGEST_HEADER = 1_000_000  # characters in which the separator is looked for

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the mark of UTF-16-LE does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: First bytes of files that are no text, and what they are.
_NO_TEXT = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
)


class FileError(ValueError):
    """A file that cannot be used at all; the text says why and how to mend it."""


class Record(NamedTuple):
    """The cells of one row as they stand in the file; `line` is where the row starts."""

    line: int
    cells: list[str]


def read_records(content: bytes) -> Iterator[Record]:
    """Yield the rows of a CSV file, the header first; rows without text are passed over.

    The text is decoded piece by piece, so that a large file is never in memory twice.

    Raises:
        FileError: The file is empty, is no CSV, or is in an encoding other than UTF-8 and UTF-16.
    """
    encoding = _encoding(content)
    try:
        records = _records(content, encoding)
        first = next(records, None)
        if first is None:
            raise FileError("the file is empty; its first line must name the columns")
        yield first
        yield from records
    except UnicodeDecodeError:
        line = _line_of_bad_bytes(content, encoding)
        name = "UTF-8" if encoding == "utf-8" else encoding.upper()
        msg = f"line {line} is not {name}; save the file as CSV UTF-8"
        raise FileError(msg) from None


def _encoding(content: bytes) -> str:
    for first, what in _NO_TEXT:
        if content.startswith(first):
            msg = f"the file is {what}, no CSV; open it, and save or unpack what you want as CSV"
            raise FileError(msg)
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark: the first letters of a header are ASCII, so each has a zero byte beside it.
    high, low = content[0:8:2], content[1:8:2]
    if low and not any(low) and all(high):
        return "utf-16-le"
    if high and not any(high) and all(low):
        return "utf-16-be"
    return "utf-8"


def _line_of_bad_bytes(content: bytes, encoding: str) -> int:
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        good = content[: error.start].decode(encoding)
        return good.count("\n") + good.count("\r") - good.count("\r\n") + 1
    return 1


def _records(content: bytes, encoding: str) -> Iterator[Record]:
    lines = _lines(content, encoding)
    first, before = _first_record(lines)
    separator = _SEPARATOR_LINE.fullmatch(first)
    if separator:
        delimiter, before = separator[1], before + 1
    else:
        delimiter, lines = _delimiter(first), chain(io.StringIO(first, newline=""), lines)
    # The limit is for the whole process, and a cell that is too long is refused with its row.
    csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    return _parsed(lines, delimiter, before)


def _lines(content: bytes, encoding: str) -> Iterator[str]:
    """Yield the lines with their ends, less byte order marks and the mark of the file's end."""
    lines = io.TextIOWrapper(io.BytesIO(content), encoding, newline="")
    yield next(lines, "").lstrip(_BYTE_ORDER_MARK)
    for line in lines:
        yield line.removesuffix(_END_OF_FILE)


def _first_record(lines: Iterator[str]) -> tuple[str, int]:
    """Return the text of the first row that has some, and how many lines stand before it."""
    before = 0
    for line in lines:
        if line.strip():
            return _whole_record(line, lines), before
        before += 1
    return "", before


def _whole_record(line: str, lines: Iterator[str]) -> str:
    """Return `line` with those that follow it inside quotation marks."""
    parts, quotes, length = [line], line.count('"'), len(line)
    while quotes % 2 and length < _LONGEST_HEADER:
        following = next(lines, None)
        if following is None:
            break
        parts.append(following)
        quotes, length = quotes + following.count('"'), length + len(following)
    return "".join(parts)


def _delimiter(record: str) -> str:
    """Return what stands between the cells of `record`, outside of quotation marks.

    A spreadsheet writes semicolons in much of the world.
    """
    outside = "".join(record.split('"')[::2])
    return max(_SEPARATORS, key=outside.count)


def _parsed(lines: Iterable[str], delimiter: str, before: int) -> Iterator[Record]:
    """Yield the rows with text; `before` lines of the file come before `lines`."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = before + 1
    try:
        for cells in reader:
            if any(map(_has_text, cells)):
                yield Record(start, cells)
            start = before + reader.line_num + 1
    except csv.Error:
        msg = (
            f'in the row that starts on line {start} a quotation mark (") never closes or stands'
            " inside a quoted cell; write it twice there, or save the file as CSV again"
        )
        raise FileError(msg) from None


def _has_text(cell: str) -> bool:
    return bool(cell.strip().strip(f"{_END_OF_FILE}{_BYTE_ORDER_MARK}"))
