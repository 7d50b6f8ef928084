"""Read one of the directory's CSV files, row by row and each cell checked.

Nothing here asks the database: what a file says about itself alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from lib.operations.imports import packed
from lib.operations.imports.cell_checks import ORGANIZATION_ID, clean
from lib.operations.imports.csv_reader import read_records
from lib.operations.imports.field_map import Template
from lib.operations.imports.layout import lay_out
from lib.operations.imports.packed import PackedRows
from lib.operations.imports.refusals import Refusal, Refusals
from lib.operations.imports.row_conflicts import conflicts
from lib.operations.imports.schema import SCHEMAS, USERS

_AS_NAMED: Mapping[str, Template] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Parsed:
    """One file, read: rows to take, rows refused, and the columns that nobody knows.

    `sources` says what a field is read from, where that is no column of its own name.
    `organization_ids` are those that a line names, a refused one too.
    """

    rows: PackedRows
    refusals: Refusals
    ignored: tuple[str, ...]
    sources: Mapping[str, str]
    organization_ids: Collection[str]


#: A users file without a line.
NOBODY = Parsed(PackedRows(SCHEMAS[USERS].checks), Refusals(), (), {}, ())


def parse(name: str, content: bytes, templates: Mapping[str, Template] = _AS_NAMED) -> Parsed:
    """Return the rows of the file `name` (a key of SCHEMAS), checked as far as the file alone goes.

    `templates` says what a field is made of, where that is no column of its own name.

    Raises:
        FileError: The file is no CSV that can be read, or its header is not what it must be.
        FieldMapError: A template names a column that is not there.
    """
    records = read_records(content)
    layout = lay_out(name, next(records).cells, templates)
    parts = 1 + len(content) // packed.PART_BYTES
    rows, refusals = PackedRows([field.name for field in layout.fields], parts), Refusals()
    places: set[str] = set()
    for line, cells in records:
        row = layout.read(line, cells)
        if isinstance(row, Refusal):
            refusals.add(row, layout.cell(cells, SCHEMAS[name].key[0]))
            place = layout.cell(cells, "organization_id")
            if ORGANIZATION_ID.fullmatch(place):
                places.add(place)
        else:
            rows.add(row)
            places.add(row.values.get("organization_id", ""))
    parsed = Parsed(rows, refusals, layout.ignored, layout.sources, places - {""})
    return _without_conflicts(name, parsed)


def _without_conflicts(name: str, parsed: Parsed) -> Parsed:
    """Refuse rows that contradict each other."""
    if not any(any(True for _ in conflicts(name, part)) for part in parsed.rows.parts()):
        return parsed
    kept = parsed.rows.emptied()
    for part in parsed.rows.parts():
        refused = {refusal.line: refusal for refusal in conflicts(name, part)}
        for row in part:
            if row.line in refused:
                parsed.refusals.add(refused[row.line], row.values[SCHEMAS[name].key[0]])
            else:
                kept.add(row)
    return replace(parsed, rows=kept)


def as_username(text: str) -> str:
    """Return a typed username as it would be read from a file's cell."""
    return clean(text)
