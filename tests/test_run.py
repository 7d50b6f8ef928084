"""`sh tests/run` says in one sentence what it lacks, before it installs anything."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.test_imports import ROOT

TOO_OLD = '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.13\n'
NOT_ROOT = "#!/bin/sh\necho 1000\n"
FINE = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def machine(tmp_path) -> Path:
    """A checkout with nothing but the script, and in `bin` a machine with few programs."""
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "run", tmp_path / "tests")
    (tmp_path / "bin").mkdir()
    install(tmp_path, "id", NOT_ROOT)
    install(tmp_path, "apt-get", FINE)
    install(tmp_path, "python3", FINE)
    (tmp_path / "bin" / "dirname").symlink_to(str(shutil.which("dirname")))
    return tmp_path


def install(machine: Path, name: str, script: str) -> None:
    """Put a program on the machine."""
    program = machine / "bin" / name
    program.write_text(script)
    program.chmod(0o755)


def refusal(machine: Path) -> str:
    """Run the script there; return what it says when it stops, which is one sentence."""
    run = subprocess.run(
        [str(shutil.which("sh")), "tests/run"],
        cwd=machine,
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (1, "")
    (sentence,) = run.stderr.splitlines()
    return sentence


class TestRefusals:
    """What a machine may lack."""

    def test_when_programs_are_missing_it_names_them(self, machine):
        """To somebody who may not install them."""
        # The script finds what Debian has here, also where PATH does not have it.
        servers = [n for n in ("nginx", "pgbouncer") if not Path("/usr/sbin", n).exists()]
        missing = " ".join(["chromium", *servers, "curl"])
        assert refusal(machine).endswith(f"install them: {missing}")

    def test_when_one_is_missing_it_names_that_only(self, machine):
        """Chromium goes by two names."""
        for name in ("chromium-browser", "nginx", "pgbouncer"):
            install(machine, name, FINE)
        assert refusal(machine).endswith("install them: curl")

    @pytest.mark.parametrize("place", ["bin/python3", ".venv/bin/python"])
    def test_when_python_is_too_old_it_names_both_versions(self, machine, place):
        """The system's, or that of a virtual environment from earlier."""
        (machine / ".venv" / "bin").mkdir(parents=True)
        program = machine / place
        program.write_text(TOO_OLD)
        program.chmod(0o755)
        assert "need Python 3.11 to 3.14" in refusal(machine)
        assert refusal(machine).endswith("is Python 3.10.13")

    def test_when_there_is_no_python_it_says_so(self, machine):
        """Not the shell's own words."""
        (machine / "bin" / "python3").unlink()
        assert refusal(machine).endswith("python3 is not there")
