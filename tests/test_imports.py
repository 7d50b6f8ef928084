"""Imports run one way.

`app.py, pages → lib.ui, lib.web → lib.operations → lib.store → lib.domain`
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

#: Each part of the project, and what of the project it may import.
MAY_IMPORT = {
    "lib.domain": {"lib.domain"},
    "lib.store": {"lib.store", "lib.domain"},
    "lib.operations": {"lib.operations", "lib.store", "lib.domain"},
    "lib.web": {"lib.web", "lib.operations", "lib.domain"},
    "lib.streamlit_internals": {"lib.streamlit_internals"},
    "lib.ui": {
        "lib.ui",
        "lib.streamlit_internals",
        "lib.operations",
        "lib.domain",
        "lib.settings",
    },
    "pages": {"lib.ui", "lib.web", "lib.operations", "lib.domain", "lib.settings"},
    "app": {
        "lib.ui",
        "lib.streamlit_internals",
        "lib.web",
        "lib.operations",
        "lib.store",
        "lib.domain",
        "lib.settings",
    },
    "lib.settings": set(),
    "lib.cli": {"lib.cli", "lib.operations", "lib.store", "lib.domain", "lib.settings"},
    "lib.demo": {"lib.cli", "lib.operations", "lib.store", "lib.domain", "lib.settings"},
}
#: What one module may beside its part's. The API is a process of its own, as app.py is.
EXCEPTIONS = {
    "lib.ui.desk": {"lib.demo"},
    "lib.web.api": {"lib.settings"},
    "lib.web.assembly": {"lib.settings"},
}

#: Where a package may be imported; SQLAlchemy's names for annotations may be elsewhere too.
HOMES = {
    "streamlit": {"app", "pages", "lib.ui", "lib.streamlit_internals"},
    "sqlalchemy": {"lib.store"},
    "alembic": {"lib.store"},
    "pandas": {"lib.ui"},
    "starlette": {"app", "lib.web", "lib.ui.server", "lib.streamlit_internals"},
    "pydantic": {"lib.settings"},
    "pydantic_settings": {"lib.settings"},
}
ANNOTATIONS = {"sqlalchemy.Engine", "sqlalchemy.Connection"}
ANNOTATE = {"lib.operations", "lib.ui", "lib.demo", "lib.cli"}


class Import(NamedTuple):
    """One name that one module imports."""

    module: str
    name: str


def modules() -> list[Path]:
    """Return every module of the project, tests left out."""
    return [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "lib").rglob("*.py")]


def dotted(path: Path) -> str:
    """Return a module's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(source: str, module: str) -> Iterator[Import]:
    """Yield every name that `source` imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield from (Import(module, f"{node.module}.{alias.name}") for alias in node.names)


def all_imports() -> list[Import]:
    """Return every import of the project."""
    return [found for path in modules() for found in imports(path.read_text("utf-8"), dotted(path))]


def within(name: str, places: set[str]) -> bool:
    """Tell whether a dotted name is one of `places`, or below it."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def part_of(module: str) -> str:
    """Return the part of the project that a module belongs to."""
    (part,) = [part for part in MAY_IMPORT if within(module, {part})]
    return part


def is_allowed(found: Import) -> bool:
    """Tell whether one import keeps to the rule."""
    top = found.name.partition(".")[0]
    if top in {"lib", "pages", "app", "tests"}:
        allowed = MAY_IMPORT[part_of(found.module)] | EXCEPTIONS.get(found.module, set())
        return within(found.name, allowed)
    if top in HOMES and not within(found.module, HOMES[top]):
        return found.name in ANNOTATIONS and within(found.module, ANNOTATE)
    return part_of(found.module) != "lib.domain" or top in sys.stdlib_module_names


class TestImports:
    """The rule, read from the sources."""

    def test_every_import_keeps_to_it(self):
        """No layer knows a higher one, and each package has its home."""
        assert [found for found in all_imports() if not is_allowed(found)] == []

    def test_every_module_is_looked_at(self):
        """Each belongs to a part, and most import something."""
        parts = {part_of(dotted(path)) for path in modules() if dotted(path) != "lib"}
        assert parts == set(MAY_IMPORT)
        assert len({found.module for found in all_imports()}) > 40

    def test_exceptions_are_needed(self):
        """An exception that nobody uses any more goes."""
        used = {
            (found.module, part_of(found.name))
            for found in all_imports()
            if within(found.name, EXCEPTIONS.get(found.module, set()))
        }
        assert {(m, name) for m, names in EXCEPTIONS.items() for name in names} == used

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("lib.domain.plan", "from lib.store import tables"),
            ("lib.domain.plan", "import sqlalchemy"),
            ("lib.domain.plan", "import numpy"),
            ("lib.store.bulk", "from lib.operations.actions import carry_out"),
            ("lib.store.bulk", "import streamlit as st"),
            ("lib.operations.actions", "from lib.ui import wording"),
            ("lib.operations.actions", "from lib.settings import read_settings"),
            ("lib.operations.actions", "from sqlalchemy import text"),
            ("lib.operations.actions", "import sqlalchemy"),
            ("lib.operations.actions", "import pandas"),
            ("lib.ui.desk", "from lib.store.engine import open_engine"),
            ("lib.ui.desk", "from sqlalchemy import text"),
            ("lib.ui.menu", "from lib.demo import fill_demo"),
            ("lib.ui.menu", "from starlette.types import Scope"),
            ("lib.web.gate", "from lib.store import tables"),
            ("lib.web.gate", "import streamlit"),
            ("lib.web.gate", "from sqlalchemy import Engine"),
            ("pages.contact", "def f():\n    from lib.store import tables"),
            ("pages.contact", "import pages.help"),
            ("pages.contact", "from sqlalchemy import Engine"),
            ("lib.settings", "from lib.domain import clock"),
            ("lib.cli", "from lib.ui import wording"),
            ("app", "import tests.directory"),
        ],
    )
    def test_a_forbidden_import_is_found(self, module, source):
        """The rule has teeth."""
        assert [is_allowed(found) for found in imports(source, module)] == [False]
