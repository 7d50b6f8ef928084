"""The only writer of CSV files. A spreadsheet runs nothing that it finds in them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_SIGNS = "=+-@|%\t\uff0b\uff0d\uff1d\uff20"
_RUNS = (*_SIGNS, "\r", "\n")
# In much of Europe a spreadsheet separates cells by semicolons. It then cuts our cells at each
# semicolon. It also cuts them at line breaks, since it does not see our opening quotation mark.
_CUT = re.compile(rf'([;\r\n][ \u00a0"]*)(?=[{re.escape(_SIGNS)}])')
# Where `disarm` adds one: at the beginning of a cell, and where it can be cut.
_DISARMED = re.compile(
    rf"""^'(?=[ \u00a0]*[{re.escape(_SIGNS)}\r\n])"""
    rf"""|(?P<cut>[;\r\n][ \u00a0"]*)'(?=[{re.escape(_SIGNS)}])"""
)
_BOM = "\ufeff"


def disarm(cell: str) -> str:
    """Return `cell` with an apostrophe before every start of a formula (OWASP, CSV injection)."""
    if ";" in cell or not cell.isprintable():
        cell = _CUT.sub(r"\1'", cell)
    return f"'{cell}" if cell.lstrip(" \u00a0").startswith(_RUNS) else cell


def undo_disarm(cell: str) -> str:
    """Return `cell` without the apostrophes that `disarm`, or another exporter, added."""
    return _DISARMED.sub(lambda found: found["cut"] or "", cell) if "'" in cell else cell


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file (RFC 4180) in UTF-8 with BOM and CRLF line ends.

    Every cell of `rows` is disarmed; `header` is written as it is.
    """
    text = io.StringIO(newline="")
    text.write(_BOM)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([disarm(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
