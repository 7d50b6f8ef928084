"""A large directory, from CSV files to an action on ten thousand users, timed."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import Tab, rows_of
from tests.support.dashboards import ROOT, Dashboards

pytestmark = [pytest.mark.browser, pytest.mark.soak]
ORGANIZATIONS = 200
LARGE = 10_000
USERS = 100_000


def write(path: Path, header: str, rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file as a spreadsheet does."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)


def write_directory(folder: Path) -> list[str]:
    """Write 200 organizations and 100,000 users; return the importer's arguments."""
    ids = [f"UTC{n:03}" for n in range(ORGANIZATIONS)]
    write(
        folder / "organizations.csv",
        "organization_id,name,type,status,state",
        ((i, f"Office {n:03}", "recipient", "active", "UT") for n, i in enumerate(ids)),
    )
    write(folder / "services.csv", "service,name", [("erecording", "eRecording")])
    write(
        folder / "subscriptions.csv",
        "organization_id,service,status",
        ((i, "erecording", "active") for i in ids),
    )
    homes = [ids[0] if n < LARGE else ids[1 + n % (ORGANIZATIONS - 1)] for n in range(USERS)]
    write(
        folder / "users.csv",
        "username,name,email,organization_id,status",
        [
            ("mhale", "Morgan Hale", "mhale@example.com", "", "active"),
            *(
                (f"user{n}", f"Zoë Example {n}", f"user{n}@example.com", home, "active")
                for n, home in enumerate(homes)
            ),
        ],
    )
    kinds = ("organizations", "services", "subscriptions", "users")
    return [word for kind in kinds for word in (f"--{kind}", str(folder / f"{kind}.csv"))]


def test_ten_thousand_tokens_are_exported_among_a_hundred_thousand_users(
    tmp_path: Path,
    dashboards: Dashboards,
    new_tab: Callable[..., Tab],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Import, select all that match, request, and generate & export: every row arrives."""
    database = f"sqlite:///{tmp_path / 'large.db'}"
    times = [time.perf_counter()]

    def lap(what: str) -> None:
        times.append(time.perf_counter())
        with capsys.disabled():
            sys.stdout.write(f"\n{what}: {times[-1] - times[-2]:.1f} s")

    subprocess.run(
        [sys.executable, "-m", "lib.cli", "import", *write_directory(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database},
        check=True,
    )
    lap(f"{USERS:,} users in {ORGANIZATIONS} organizations written and imported")
    tab = new_tab(dashboards.start(database=database).address)
    tab.open("api-tokens?org=UTC000&service=erecording")
    lap("server started and tokens page open")
    tab.click(f"Select all {LARGE:,} matching")
    tab.expect_selected(f"{LARGE:,} selected")
    lap(f"all {LARGE:,} selected")
    tab.pick("Actions", "Add New Tokens")
    expect(tab.dialog().get_by_text(f"{LARGE:,} are asked to accept")).to_be_visible()
    lap("first confirmation planned")
    tab.click(tab.confirming_button())
    expect(tab.page.get_by_text(f"{LARGE:,} new tokens requested")).to_be_visible()
    lap(f"{LARGE:,} tokens requested, receipt shown")
    tab.click(f"Select all {LARGE:,} matching")
    tab.pick("Actions", "Generate & Export Tokens")
    tab.type_to_confirm(LARGE)
    lap("both confirmations of Generate & Export passed")
    with tab.page.expect_download() as started:
        tab.download_button().click()
    rows = rows_of(started.value)
    lap(f"{len(rows):,} tokens generated, replaced and downloaded")
    assert len({row["API Token"] for row in rows}) == LARGE
