"""Compiles the lists in pyproject.toml into the requirement files, with uv.

`python -m tests.lock` keeps every version that is in the files and that the lists allow; it needs
the package index that pip uses. Arguments go to uv: `--upgrade-package authlib`, or `--upgrade`.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The tests, and what we are measured against, have the very versions of the app.
_AS_THE_APP = ("--constraints", "requirements.txt")
#: The requirement files, in the order in which they are compiled, and each one's list.
FILES = {
    "requirements.txt": ("pyproject.toml",),
    "tests/requirements.txt": ("--group", "tests", *_AS_THE_APP),
    "tests/benchmarks/requirements.txt": ("--group", "peer", *_AS_THE_APP),
}


def compile_all(folder: Path, *options: str) -> None:
    """Compile every file of the checkout in `folder`."""
    for file, sources in FILES.items():
        run_uv("pip", "compile", *options, *sources, "--output-file", file, folder=folder)


def run_uv(*arguments: str, folder: Path = ROOT) -> None:
    """Run uv with pip's index, of which it does not know, and without a Python of its own."""
    index = os.environ.get("PIP_INDEX_URL") or _index_of_pip()
    settings = {"UV_PYTHON_DOWNLOADS": "never"} | ({"UV_DEFAULT_INDEX": index} if index else {})
    uv = Path(sys.executable).with_name("uv")
    run = subprocess.run(
        [uv, *arguments, "--quiet"], cwd=folder, env=settings | os.environ, check=False
    )
    if run.returncode != 0:
        msg = "uv has failed, and says why above; it needs the package index that pip uses"
        raise SystemExit(msg)


@functools.cache
def _index_of_pip() -> str:
    """Return the index in pip's own settings; empty where they name none."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


if __name__ == "__main__":
    compile_all(ROOT, *sys.argv[1:])
