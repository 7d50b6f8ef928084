"""Where the fields of a file stand: its header, compared with what the file may hold."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from lib.operations.imports.cell_checks import CellError, Check, clean, visible
from lib.operations.imports.csv_reader import FileError
from lib.operations.imports.field_map import FieldMapError, Template
from lib.operations.imports.packed import Row, Values
from lib.operations.imports.refusals import Refusal
from lib.operations.imports.schema import SCHEMAS, ImportSchema

_MOST_LISTED = 40  # columns that a sentence names
_LONGEST_LISTED = 60  # characters of a header's cell
_ONE_MORE = "is one cell more than the header has; put text with a comma in quotation marks"
_DOES_NOT_COUNT = re.compile(r"[\s_\u2010-\u2015\u2212-]+")

#: What a field is read from: the number of a cell, or such numbers with text around them.
Source: TypeAlias = int | tuple[int | str, ...]


class Field(NamedTuple):
    """A field of the file: its name, its check, and what it is read from."""

    name: str
    check: Check
    source: Source


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row of the file is read.

    `ignored` are the headers that no field is read from; `sources` says what each field is read
    from where that is not a column of the field's own name.
    """

    fields: tuple[Field, ...]
    width: int
    ignored: tuple[str, ...]
    sources: Mapping[str, str]

    def read(self, line: int, cells: Sequence[str]) -> Row | Refusal:
        """Return the row with checked values, or why it is refused."""
        if len(cells) > self.width and (extra := "".join(cells[self.width :]).strip()):
            reason = (
                "is one cell more than the header has; put text with a comma in quotation marks"
            )
            return Refusal(line, "row", extra, reason)
        values: Values = {}
        for field, check, source in self.fields:
            cell = _cell(cells, source)
            try:
                values[field] = check(cell)
            except CellError as fault:
                return Refusal(line, field, cell, str(fault))
        return Row(line, values)

    def cell(self, cells: Sequence[str], field: str) -> str:
        """Return the cell of a row that is refused, not checked."""
        return next((_cell(cells, each.source) for each in self.fields if each.name == field), "")


def _cell(cells: Sequence[str], source: Source) -> str:
    if isinstance(source, int):
        # Some spreadsheets leave out empty ends.
        return clean(cells[source]) if source < len(cells) else ""
    return clean(
        "".join(piece if isinstance(piece, str) else _cell(cells, piece) for piece in source)
    )


def lay_out(name: str, header: Sequence[str], templates: Mapping[str, Template]) -> Layout:
    """Return how the rows below `header` are read, for the file `name` (a key of SCHEMAS).

    Case, spaces, hyphens and underscores do not count in a header.

    Raises:
        FileError: A field has no column, or two columns have one name.
        FieldMapError: A template names a column that is not there.
    """
    schema, shown = SCHEMAS[name], [_shown(cell) for cell in header]
    at = _places(shown)
    sources = {field: _template_source(field, templates[field], at, shown) for field in templates}
    for field in schema.checks:
        if field not in sources and _folded(field) in at:
            sources[field] = at[_folded(field)]
    if missing := [field for field in schema.required if field not in sources]:
        raise FileError(_what_is_missing(name, missing, shown, at))
    fields = tuple(
        Field(n, check, sources[n]) for n, check in schema.checks.items() if n in sources
    )
    used = {place for field in fields for place in _cells_of(field.source)}
    ignored = tuple(cell for place, cell in enumerate(shown) if cell and place not in used)
    return Layout(fields, len(header), ignored, _shown_sources(fields, templates, shown))


def _shown_sources(
    fields: Iterable[Field], templates: Mapping[str, Template], shown: Sequence[str]
) -> dict[str, str]:
    shown_sources = {
        field.name: templates[field.name].written
        if field.name in templates
        else shown[next(iter(_cells_of(field.source)))]
        for field in fields
    }
    return {field: source for field, source in shown_sources.items() if source.lower() != field}


def _cells_of(source: Source) -> Iterable[int]:
    return (source,) if isinstance(source, int) else (p for p in source if isinstance(p, int))


def _shown(cell: str) -> str:
    """Return a header's cell as a sentence can name it: visible, on one line."""
    plain = " ".join(visible(clean(cell)).split())
    return "".join(c if c.isprintable() else "\ufffd" for c in plain)


def _folded(cell: str) -> str:
    return _DOES_NOT_COUNT.sub("", unicodedata.normalize("NFKC", cell).casefold())


def _places(shown: Sequence[str]) -> dict[str, int]:
    """Return the number of each column by its folded name; refuse two with one name."""
    folded = [_folded(cell) for cell in shown]
    counts = Counter(filter(None, folded))
    if counts and max(counts.values()) > 1:
        twice = [cell for cell, name in zip(shown, folded, strict=True) if counts[name] > 1]
        msg = (
            f"the first line names a column twice: {_listed(twice)} (case, spaces, hyphens and"
            " underscores do not count); delete or rename one"
        )
        raise FileError(msg)
    return {name: place for place, name in enumerate(folded) if name}


def _template_source(
    field: str, template: Template, at: Mapping[str, int], shown: Sequence[str]
) -> Source:
    source = tuple(
        at.get(_folded(_shown(text)), -1) if is_header else text
        for text, is_header in template.pieces
    )
    if -1 in source:
        wrong = template.pieces[source.index(-1)].text
        msg = f"{field}: the file has no column {wrong!r}; it has the columns {_listed(shown)}"
        raise FieldMapError(msg)
    return source


def _what_is_missing(
    name: str, missing: Sequence[str], shown: Sequence[str], at: Mapping[str, int]
) -> str:
    them = "it" if len(missing) == 1 else "them"
    fix = f"name {them} in the first line, or map {them}: --map '{missing[0]}={{Header}}'"
    fitting = [other for other, schema in SCHEMAS.items() if other != name and _fits(schema, at)]
    if fitting:
        fix = f"this looks like the {fitting[0]} file, so name it with --{fitting[0]}"
    return f"has the columns {_listed(shown)}; it lacks {' and '.join(missing)}; {fix}"


def _fits(schema: ImportSchema, at: Mapping[str, int]) -> bool:
    return all(_folded(field) in at for field in schema.required)


def _listed(columns: Sequence[str]) -> str:
    named = [
        cell if len(cell) <= _LONGEST_LISTED else f"{cell[:_LONGEST_LISTED]}…" for cell in columns
    ]
    named = [cell for cell in named if cell]
    more = len(named) - _MOST_LISTED
    return ", ".join(named[:_MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")
