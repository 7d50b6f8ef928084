"""Imports run one way.

`app.py, pages → lib.ui, lib.web → lib.operations → lib.store → lib.domain`; `lib.wording` stands on
`lib.domain`. Inside `lib.ui`: features → navigation, auth, components → app_context, session.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lib.ui.navigation.page_registry import ORGANIZATION_PAGES, TOP_PAGES

ROOT = Path(__file__).parents[1]

#: Each part of the project, and what of the project it may import.
MAY_IMPORT = {
    "lib.domain": {"lib.domain"},
    "lib.store": {"lib.store", "lib.domain"},
    "lib.operations": {"lib.operations", "lib.store", "lib.domain"},
    "lib.web": {"lib.web", "lib.operations", "lib.domain"},
    "lib.wording": {"lib.wording", "lib.domain"},
    "lib.streamlit_internals": {"lib.streamlit_internals"},
    "lib.ui": {
        "lib.ui",
        "lib.wording",
        "lib.streamlit_internals",
        "lib.operations",
        "lib.domain",
        "lib.settings",
    },
    "pages": {
        "lib.ui",
        "lib.wording",
        "lib.web",
        "lib.operations",
        "lib.domain",
        "lib.settings",
    },
    "app": {
        "lib.ui",
        "lib.streamlit_internals",
        "lib.web",
        "lib.operations",
        "lib.store",
        "lib.domain",
        "lib.settings",
    },
    "lib.settings": {"lib.settings"},
    "lib.cli": {
        "lib.cli",
        "lib.wording",
        "lib.operations",
        "lib.store",
        "lib.domain",
        "lib.settings",
    },
    "lib.demo": {
        "lib.demo",
        "lib.cli",
        "lib.wording",
        "lib.operations",
        "lib.store",
        "lib.domain",
        "lib.settings",
    },
}
#: What one module may beside its part's. The API is a process of its own, as app.py is.
EXCEPTIONS = {
    "lib.ui.app_context": {"lib.demo"},
    "lib.web.api": {"lib.settings"},
    "lib.web.factory": {"lib.settings"},
    "lib.web.paths": {"lib.settings"},
    "lib.web.api_endpoints": {"lib.wording"},
    "lib.operations.database": {"lib.settings"},
}

#: Where a package may be imported; SQLAlchemy's names for annotations may be elsewhere too.
HOMES = {
    "streamlit": {"app", "pages", "lib.ui", "lib.streamlit_internals"},
    "sqlalchemy": {"lib.store"},
    "alembic": {"lib.store"},
    "pandas": {"lib.ui"},
    "starlette": {"app", "lib.web", "lib.ui.auth.connections", "lib.streamlit_internals"},
    "pydantic": {"lib.settings"},
    "pydantic_settings": {"lib.settings"},
}
ANNOTATIONS = {"sqlalchemy.Engine", "sqlalchemy.Connection"}
ANNOTATE = {"lib.operations", "lib.ui", "lib.demo", "lib.cli"}


#: The parts of lib.ui, and what of it each may import. A feature is a folder named like the menu.
SHARED = {"lib.ui.app_context", "lib.ui.session"}
COMPONENTS = SHARED | {"lib.ui.components"}
#: The registry of pages and the links made from it know no other part of lib.ui.
LINKS = {"lib.ui.navigation.page_registry", "lib.ui.navigation.links"}
AUTH = COMPONENTS | {"lib.ui.auth"}
NAVIGATION = AUTH | {"lib.ui.navigation"}
NOT_FEATURES = {
    "lib.ui.app_context": SHARED,
    "lib.ui.session": SHARED,
    "lib.ui.components": COMPONENTS,
    "lib.ui.auth": AUTH,
    "lib.ui.navigation": NAVIGATION,
}
#: A feature that imports another one; what for.
BETWEEN_FEATURES = {
    (
        "lib.ui.users",
        "lib.ui.activity",
    ): "the history of a user is a list of events, with its pager",
    ("lib.ui.activity", "lib.ui.tokens"): "a request for approval is answered on its own page",
    ("lib.ui.activity", "lib.ui.undo"): "an operation is undone on its own page",
    ("lib.ui.tokens", "lib.ui.undo"): "an operation is undone from its receipt",
}

#: Names of Streamlit that its documentation has. All others are private.
PUBLIC_STREAMLIT = {"streamlit", "streamlit.Page"}


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


def ui_part(name: str) -> str:
    """Return the part of lib.ui that a dotted name is in: a folder, or a module beside them."""
    return ".".join(name.split(".")[:3])


def is_allowed_in_ui(found: Import) -> bool:
    """Tell whether one module of lib.ui may import another one."""
    here, there = ui_part(found.module), ui_part(found.name)
    if within(found.module, LINKS):
        return within(found.name, LINKS)
    if here == "lib.ui.auth" and within(found.name, LINKS):
        return True
    if (here, there) in BETWEEN_FEATURES:
        return True
    return within(there, NOT_FEATURES.get(here, NAVIGATION | {here}))


def is_allowed(found: Import) -> bool:
    """Tell whether one import keeps to the rules."""
    top = found.name.partition(".")[0]
    if found.module.startswith("lib.ui.") and found.name.startswith("lib.ui."):
        return is_allowed_in_ui(found)
    if top == "streamlit" and not within(found.module, {"lib.streamlit_internals"}):
        return found.name in PUBLIC_STREAMLIT and within(found.module, HOMES[top])
    if top in {"lib", "pages", "app", "tests"}:
        allowed = MAY_IMPORT[part_of(found.module)] | EXCEPTIONS.get(found.module, set())
        return within(found.name, allowed)
    if top in HOMES and not within(found.module, HOMES[top]):
        return found.name in ANNOTATIONS and within(found.module, ANNOTATE)
    return part_of(found.module) != "lib.domain" or top in sys.stdlib_module_names


class TestImports:
    """The rule, read from the sources."""

    def test_no_module_types_the_file_of_a_page(self):
        """The registry of pages is the only place that does; links take it from there."""
        files = {page.file for page in (*TOP_PAGES, *ORGANIZATION_PAGES)}
        typed = [
            (dotted(path), node.value)
            for path in modules()
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant) and node.value in files
        ]
        assert {module for module, _ in typed} == {"lib.ui.navigation.page_registry"}
        assert sorted(name for _, name in typed) == sorted(files)

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

    def test_exceptions_between_features_are_needed(self):
        """An exception that nobody uses any more goes."""
        used = {
            (ui_part(found.module), ui_part(found.name))
            for found in all_imports()
            if found.module.startswith("lib.ui.") and found.name.startswith("lib.ui.")
        }
        assert set(BETWEEN_FEATURES) - used == set()

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("lib.ui.components.dialog", "from lib.ui.tokens import receipts"),
            ("lib.ui.components.dialog", "from lib.ui.auth import permissions"),
            ("lib.ui.auth.sign_in", "from lib.ui.navigation import scope"),
            ("lib.ui.navigation.links", "from lib.ui.navigation import scope"),
            ("lib.ui.navigation.page_registry", "from lib.ui.session import session"),
            ("lib.ui.coverage.coverage_view", "from lib.ui.access import access_list"),
            ("lib.ui.session", "from streamlit.runtime.scriptrunner import get_script_run_ctx"),
            ("pages.contact", "from streamlit.runtime import get_instance"),
            ("app", "from streamlit import config"),
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
            ("lib.ui.app_context", "from lib.store.engine import open_engine"),
            ("lib.ui.app_context", "from sqlalchemy import text"),
            ("lib.ui.navigation.menu", "from lib.demo import fill_demo"),
            ("lib.ui.navigation.menu", "from starlette.types import Scope"),
            ("lib.web.security_middleware", "from lib.store import tables"),
            ("lib.web.security_middleware", "import streamlit"),
            ("lib.web.security_middleware", "from sqlalchemy import Engine"),
            ("pages.contact", "def f():\n    from lib.store import tables"),
            ("pages.contact", "import pages.help"),
            ("pages.contact", "from sqlalchemy import Engine"),
            ("lib.settings", "from lib.domain import clock"),
            ("lib.cli", "from lib.ui import wording"),
            ("app", "import tests.support.directory"),
        ],
    )
    def test_a_forbidden_import_is_found(self, module, source):
        """The rule has teeth."""
        assert [is_allowed(found) for found in imports(source, module)] == [False]
