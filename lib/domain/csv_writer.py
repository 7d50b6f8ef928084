"""The one writer of CSV: what leaves here runs nothing in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_SIGNS = "=+-@|%\t\uff0b\uff0d\uff1d\uff20"
_RUNS = (*_SIGNS, "\r", "\n")
# Where a semicolon separates cells, as in much of Europe, one of ours can be cut at it, and at a
# line break, since its quotation mark does not open a cell then.
_CUT = re.compile(rf'([;\r\n][ \u00a0"]*)(?=[{re.escape(_SIGNS)}])')
_BOM = "\ufeff"


def disarm(cell: str) -> str:
    """Return `cell`, with an apostrophe before what a spreadsheet could run (OWASP)."""
    if ";" in cell or not cell.isprintable():
        cell = _CUT.sub(r"\1'", cell)
    return f"'{cell}" if cell.lstrip(" \u00a0").startswith(_RUNS) else cell


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV as RFC 4180 has it: UTF-8 with BOM, CRLF line ends, every cell disarmed."""
    text = io.StringIO(newline="")
    text.write(_BOM)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([disarm(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
