"""How much later than an empty Streamlit page the first page appears, on an existing database.

Run: `python -m tests.benchmarks.start`. Both servers start fresh in turn; a browser opens each and
waits for its heading. Limit: 1.5 s later; a first start with the demo's import within 10 s.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from tests.support.browser import CHROMIUM_ARGUMENTS
from tests.support.processes import free_port

ROUNDS = 5
ROOT = Path(__file__).parents[2]


def seconds_to_heading(browser: Browser, script: Path, data: Path) -> float:
    """Return the seconds from the command to the page's heading in a browser."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    options = ["--server.headless=true", f"--server.port={port}"]
    page = browser.new_page()
    begun = time.perf_counter()
    server = subprocess.Popen(
        [*command, *options],
        cwd=ROOT,
        env={**os.environ, "TOKEN_DESK_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        try:
            page.goto(f"http://localhost:{port}")
            break
        except Error:
            time.sleep(0.02)  # until the server listens
    page.get_by_role("heading").first.wait_for()
    spent = time.perf_counter() - begun
    page.close()
    server.terminate()
    server.wait()
    return spent


def main() -> None:
    """Print the medians and their difference."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    data = Path(tempfile.mkdtemp())
    empty = data / "empty.py"
    empty.write_text("import streamlit as st\nst.header('Empty')\n")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_ARGUMENTS])
        first = seconds_to_heading(browser, ROOT / "app.py", data)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds_to_heading(browser, ROOT / "app.py", data))
            theirs.append(seconds_to_heading(browser, empty, data))
        browser.close()
    later = statistics.median(ours) - statistics.median(theirs)
    sys.stdout.write(
        f"first start with demo data {first:.2f} s ({first / 10:.2f} of the limit);"
        f" then {statistics.median(ours):.2f} s, an empty page {statistics.median(theirs):.2f} s:"
        f" {later:.2f} s later ({later / 1.5:.2f} of the limit; medians of {ROUNDS})\n"
    )


if __name__ == "__main__":
    main()
