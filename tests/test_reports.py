"""What the end of a run says, read from reports that pytest wrote."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import reports

GOOD = """
import pytest
class TestIt:
    @pytest.mark.parametrize("value", ["a.b", "a::b"])
    def test_good(self, value): pass
def test_left_out(): pytest.skip("not here")
"""
BAD = """
import pytest
@pytest.fixture
def broken(): raise OSError
def test_without_its_fixture(broken): pass
def test_bad(): assert False
def test_with_subtests(subtests):
    with subtests.test("one"): assert False
"""
SKIPPED = "def test_it(): import pytest; pytest.skip()"
NOT_COLLECTED = "import nothing_of_this_name"


@functools.cache
def report(part: str, source: str) -> str:
    """Return the report of pytest on a file of `tests/<part>`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tests", part, "test_it.py")
        file.parent.mkdir(parents=True)
        file.write_text(source)
        subprocess.run(
            [sys.executable, "-m", "pytest", "tests", "--junitxml=xml", "--import-mode=importlib"],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Path(folder, "xml").read_text()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder for reports, with that of the browser's tests."""
    reports.emptied(tmp_path)
    (tmp_path / "browser.xml").write_text(report("browser", GOOD))
    return tmp_path


def ended(folder: Path, source: str, *parts: str) -> int:
    """End a run in CI whose other tests were `source`, and whose `parts` failed."""
    (folder / "rest.xml").write_text(report("rest", source))
    (folder / reports.FAILED_PARTS).write_text("\n".join(parts))
    return reports.end_of_ci(folder)


class TestEndOfCi:
    """The last lines of CI."""

    def test_when_all_pass_it_counts_and_names_the_slowest(self, folder, capsys):
        """As arguments that pytest takes; nothing has failed."""
        assert ended(folder, GOOD) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1] == "CI: 4 passed, 0 failed, 2 skipped"
        assert any(
            line.endswith(" tests/rest/test_it.py::TestIt::test_good[a.b]") for line in lines
        )
        assert "CI: failed:" not in lines

    def test_when_some_fail_it_names_each_once(self, folder, capsys):
        """Also one whose fixture or whose subtest failed."""
        assert ended(folder, BAD, "rest") == 1
        names = capsys.readouterr().out.partition("CI: failed:\n")[2].partition("\n\n")[0]
        assert names.splitlines() == [
            "  tests/rest/test_it.py::test_without_its_fixture",
            "  tests/rest/test_it.py::test_bad",
            "  tests/rest/test_it.py::test_with_subtests",
        ]

    def test_when_a_part_without_tests_failed_it_names_the_part(self, folder, capsys):
        """Such as mypy; the tests are counted."""
        assert ended(folder, GOOD, "mypy") == 1
        assert "CI: failed:\n  mypy\n" in capsys.readouterr().out

    @pytest.mark.parametrize("source", ["", SKIPPED])
    def test_when_no_test_of_a_part_ran_it_fails(self, folder, capsys, source):
        """None was collected, or all were skipped."""
        assert ended(folder, source) == 1
        assert "CI: 0 tests of rest ran" in capsys.readouterr().out

    def test_when_the_run_stopped_before_its_end_it_fails(self, folder, capsys):
        """It has named no parts, and a report may be missing."""
        assert reports.end_of_ci(folder) == 1
        assert "CI: failed:\n  browser\n  rest\n" in capsys.readouterr().out

    def test_when_a_file_cannot_be_collected_it_names_the_file(self, folder, capsys):
        """As pytest's report does."""
        assert ended(folder, NOT_COLLECTED, "rest") == 1
        assert "CI: failed:\n  tests.rest.test_it\n" in capsys.readouterr().out


class TestEndOfRun:
    """The last lines of `sh tests/run`."""

    def test_it_sums_up_folders(self, folder, capsys):
        """With the number of tests in each."""
        (folder / "rest.xml").write_text(report("rest", BAD))
        reports.end_of_run(folder)
        lines = capsys.readouterr().out.splitlines()
        sums = {tuple(line.split()[2:]) for line in lines if line.endswith(("/browser", "/rest"))}
        assert sums == {("3", "tests/browser"), ("3", "tests/rest")}
