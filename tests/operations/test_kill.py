"""kill -9 in the middle of Generate & Export, or of an undo: all of it happened, or nothing."""

import json
import subprocess
import sys

import pytest
from sqlalchemy import Engine

from lib.settings import ROOT


@pytest.mark.parametrize("tries", [4, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("what", ["generate", "keep", "undo"])
def test_a_killed_operation_is_whole_or_absent(
    engine: Engine, url: str, what: str, tries: int
) -> None:
    """No torn operation in `tries`, most of which were really killed on the way."""
    engine.dispose()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill", url, str(tries), "7", what],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    sys.stdout.write(f"{engine.dialect.name} {what}: {seen}\n")
    assert seen["torn"] == 0
    assert seen["whole"] + seen["absent"] == tries
    assert seen["absent"] > 0
    assert seen["killed"] > tries / 4
