"""What the reports of a run say: what failed, what each folder took, and the slowest tests.

A report is a file in JUnit's XML, as pytest writes it, one for each part of the tests.
`python -m tests.reports FOLDER` prints how a run in CI ends; it fails where no test ran.
"""

import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

#: The parts of the tests; each has a report of its name.
TESTS = ("browser", "rest")
#: A file beside the reports: the names of the parts that failed, in lines.
FAILED_PARTS = "failed"
_OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


class Result(NamedTuple):
    """How one test ended, and the seconds that it took with its fixtures."""

    test: str
    folder: str
    seconds: float
    outcome: str


def emptied(reports: Path) -> Path:
    """Make the folder, without the reports of an earlier run; return it."""
    reports.mkdir(parents=True, exist_ok=True)
    for name in (FAILED_PARTS, *(f"{part}.xml" for part in TESTS)):
        (reports / name).unlink(missing_ok=True)
    return reports


def read(reports: Path) -> list[Result]:
    """Return the results of every part that left a report."""
    return [found for part in TESTS for found in read_part(reports / f"{part}.xml")]


def read_part(report: Path) -> list[Result]:
    """Return the results in one report; none where it was not written."""
    if not report.exists():
        return []
    return [_result(case) for case in ET.parse(report).iter("testcase")]  # noqa: S314 - our own


def _result(case: ET.Element) -> Result:
    """Return one result; its test is named as pytest takes it as an argument."""
    names = (case.get("classname") or "").split(".")
    at = next((at for at, name in enumerate(names, 1) if name.startswith("test_")), 0)
    file = ["/".join(names[:at]) + ".py"] if at else []
    outcomes = {_OUTCOMES[child.tag] for child in case if child.tag in _OUTCOMES}
    return Result(
        "::".join([*file, *filter(None, names[at:]), case.get("name") or ""]),
        "/".join(names[: at - 1]) if at else "elsewhere",
        float(case.get("time") or 0),
        min(outcomes, default="passed"),
    )


def sums(results: Iterable[Result]) -> Iterator[str]:
    """Yield a line for each folder, the longest first."""
    seconds, tests = defaultdict[str, float](float), Counter[str]()
    for result in results:
        seconds[result.folder] += result.seconds
        tests[result.folder] += 1
    for folder in sorted(seconds, key=seconds.__getitem__, reverse=True):
        yield f"{seconds[folder]:8.1f} s {tests[folder]:6}  {folder}"


def slowest(results: Iterable[Result], number: int) -> Iterator[str]:
    """Yield a line for each of the slowest tests, the slowest first."""
    for result in sorted(results, key=lambda result: -result.seconds)[:number]:
        yield f"{result.seconds:8.1f} s  {result.test}"


def failed(reports: Path) -> list[str]:
    """Return the tests that failed, and the parts that failed without naming one."""
    names: dict[str, None] = {}
    file = reports / FAILED_PARTS
    for part in file.read_text().splitlines() if file.exists() else TESTS:
        found = [r.test for r in read_part(reports / f"{part}.xml") if r.outcome == "failed"]
        names |= dict.fromkeys(found or [part])
    return list(names)


def counts(results: Iterable[Result]) -> str:
    """Return how many tests passed, failed and were skipped."""
    outcomes = Counter(result.outcome for result in results)
    return ", ".join(f"{outcomes[word]} {word}" for word in ("passed", "failed", "skipped"))


def print_part(heading: str, lines: Iterable[str]) -> None:
    """Print lines below a heading; nothing where there are none."""
    found = list(lines)
    if found:
        print(f"\n{heading}:", *found, sep="\n")


def end_of_run(reports: Path) -> None:
    """Print what each folder took, the slowest tests, and what failed."""
    results = read(reports)
    print_part("Seconds and tests of each folder", sums(results))
    print_part("The 30 slowest", slowest(results, 30))
    print_part("Failed", (f"  {name}" for name in failed(reports)))
    print(f"\n{counts(results)}")


def end_of_ci(reports: Path) -> int:
    """Print how a run ended; return its exit status."""
    results = read(reports)
    print_part("CI: the 10 slowest", slowest(results, 10))
    print_part("CI: failed", (f"  {name}" for name in failed(reports)))
    print()
    idle = False
    for part in TESTS:
        found = read_part(reports / f"{part}.xml")
        ran = sum(result.outcome != "skipped" for result in found)
        idle |= not ran
        print(f"CI: {ran} tests of {part} ran")
    print(f"CI: {counts(results)}")
    return 1 if idle or failed(reports) else 0


if __name__ == "__main__":
    sys.exit(end_of_ci(Path(sys.argv[1])))
