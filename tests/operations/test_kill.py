"""kill -9 in the middle of Generate & Export: all of it happened, or nothing."""

import json
import subprocess
import sys

import pytest
from sqlalchemy import Engine

from lib.settings import ROOT


@pytest.mark.parametrize("tries", [6, pytest.param(1_000, marks=pytest.mark.soak)])
def test_a_killed_operation_is_whole_or_absent(engine: Engine, url: str, tries: int) -> None:
    """No torn operation in `tries`, most of which were really killed on the way."""
    engine.dispose()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill", url, str(tries), "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    sys.stdout.write(f"{engine.dialect.name}: {seen}\n")
    assert seen["torn"] == 0
    assert seen["whole"] + seen["absent"] == tries
    assert seen["absent"] > 0
    assert seen["killed"] > tries / 4
