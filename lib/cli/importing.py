"""`python -m lib.cli import --users F.csv …` takes a directory from CSV files."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lib.cli.console import FAILED, SUCCEEDED, WRONG_USAGE, print_text, printable, with_database
from lib.domain.errors import UnknownPersonError
from lib.operations.import_directory import FileReport, Report, import_directory
from lib.operations.import_rows import SCHEMAS, FileError, Parsed, Refusal, parse
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `import`."""
    importer = add(
        "import",
        help="add and update a directory from CSV files",
        description="Add and update a directory from CSV files, in one transaction.",
    )
    for name, sheet in SCHEMAS.items():
        importer.add_argument(
            f"--{name}", type=Path, metavar="F.csv", help=f"columns {', '.join(sheet.checks)}"
        )
    importer.add_argument(
        "--skip-bad-rows", action="store_true", help="take the good rows although some are refused"
    )
    importer.add_argument(
        "--same-person",
        action="append",
        default=[],
        metavar="USERNAME",
        help="this username stays with the same person although name and e-mail both change;"
        " may be given several times",
    )
    importer.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    paths = {name: path for name in SCHEMAS if (path := getattr(options, name))}
    files, faults = _read(paths, settings.import_max)
    if options.same_person and "users" not in paths:
        faults.append("--same-person is about the users file: name that with --users.")
    if faults or not files:
        print_text(faults or ["Name at least one file, such as --users users.csv."], sys.stderr)
        return WRONG_USAGE

    def take(unit_of_work: UnitOfWork) -> int:
        try:
            report = import_directory(
                unit_of_work,
                files,
                skip_bad_rows=options.skip_bad_rows,
                same_person=options.same_person,
            )
        except UnknownPersonError as error:
            print_text([_nobody(error)], sys.stderr)
            return WRONG_USAGE
        print_text(report_lines(report))
        return SUCCEEDED if report.all_taken else FAILED

    return with_database(settings, take)


def _nobody(error: UnknownPersonError) -> str:
    return (
        f"--same-person: the directory has nobody of the username {printable(error.username)}."
        " Look at its spelling. Nothing was changed."
    )


def _read(paths: Mapping[str, Path], limit: int) -> tuple[dict[str, Parsed], list[str]]:
    files, faults = {}, []
    for name, path in paths.items():
        try:
            files[name] = parse(name, _content(path, limit))
        except FileError as fault:
            faults.append(f"{name}: {path}: {fault}.")
        except OSError as error:
            faults.append(f"{name}: {path}: the file cannot be read: {error.strerror}.")
    return files, faults


def _content(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(limit + 1) if size <= limit else b""  # a pipe has no size
    if max(size, len(content)) > limit:
        msg = (
            f"the file is larger than {limit:,} bytes and was not read; split it,"
            " or raise TOKEN_DESK_IMPORT_MAX"
        )
        raise FileError(msg)
    return content


def report_lines(report: Report) -> Iterator[str]:
    """Yield what to print of `report`: a line a file, a line a refused row, and what follows."""
    for name, file in report.files.items():
        yield _counts(name, file)
        if file.ignored:
            yield f"  columns not known and ignored: {', '.join(map(printable, file.ignored))}"
        yield from map(_refused, file.refusals)
    if not report.written:
        yield "Nothing was written: mend these rows, or take the others with --skip-bad-rows."


def _counts(name: str, file: FileReport) -> str:
    return (
        f"{name}: {file.added:,} added, {file.updated:,} updated,"
        f" {file.unchanged:,} unchanged, {len(file.refusals):,} refused"
    )


def _refused(refusal: Refusal) -> str:
    return f"  line {refusal.line}: {refusal.field} {printable(refusal.value)}: {refusal.reason}"
