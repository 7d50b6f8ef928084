"""Say which columns of another program's export make up a field: `name={First} {Last}`."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<header>[^{}]+)\}|(?P<brace>[{}])|[^{}]+")


class FieldMapError(ValueError):
    """A mapping that cannot be used; the text says why and how to mend it."""


class Piece(NamedTuple):
    """A part of a template: the text of a header's cell, or text that stands for itself."""

    text: str
    is_header: bool


class Template(NamedTuple):
    """What a field is made of, as it was written and in pieces."""

    written: str
    pieces: tuple[Piece, ...]


def read_map(options: Iterable[str], fields: Iterable[str]) -> Mapping[str, Template]:
    """Return the templates of `FIELD=TEMPLATE` options, by field.

    `{Header}` stands for a cell, `{{` and `}}` for braces, anything else for itself.

    Raises:
        FieldMapError: An option has another form, names no field, or one that another option named.
    """
    known, templates = tuple(fields), {}
    for option in options:
        field, equals, written = option.partition("=")
        field = field.strip().lower()
        if not equals or field not in known:
            msg = (
                f"{option!r} begins with no field; write FIELD=TEMPLATE, FIELD being one of"
                f" {', '.join(known)}"
            )
            raise FieldMapError(msg)
        if field in templates:
            msg = f"{field} is mapped twice; name it once"
            raise FieldMapError(msg)
        templates[field] = Template(written, tuple(_pieces(written)))
    return templates


def _pieces(written: str) -> Iterable[Piece]:
    for token in _TOKEN.finditer(written):
        if token["brace"]:
            msg = f"a brace of {written!r} has no partner; write {{Header}}, or {{{{ for a brace"
            raise FieldMapError(msg)
        header = token["header"]
        yield Piece(header or token[0].replace("{{", "{").replace("}}", "}"), header is not None)
