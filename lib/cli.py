"""Commands: `python -m lib.cli import --users F.csv …` takes a directory from CSV files."""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from lib.domain import clock
from lib.domain.audit import Seal
from lib.domain.errors import StoreBusy, StoreFull, StoreReadOnly, StoreUnavailable
from lib.operations.import_directory import FileReport, Report, import_directory
from lib.operations.import_rows import SHEETS, FileFault, Parsed, Refusal, parse
from lib.operations.ledger import Ledger
from lib.settings import Settings, read_settings
from lib.store.engine import open_engine
from lib.store.migrate import migrate

ALL_TAKEN, SOMETHING_REFUSED, WRONG_USAGE = 0, 1, 2
_LONGEST_SHOWN = 60  # characters of a refused value

_STORE_FAULTS = {
    StoreBusy: "Another program is writing to the database. Nothing was changed; try again soon.",
    StoreReadOnly: "The database cannot be written. Nothing was changed; make it writable first.",
    StoreFull: "There is no room left for the database. Nothing was changed; make room first.",
    StoreUnavailable: "The database cannot be opened. Nothing was changed; look at DATABASE_URL"
    " or TOKEN_DESK_DATA, and whether the folder or server is there.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all taken, 1 something refused, 2 wrong usage."""
    print_anything()
    options = _parser().parse_args(arguments)
    settings = read_settings()
    paths = {name: path for name in SHEETS if (path := getattr(options, name))}
    files, faults = _read(paths, settings.import_max)
    if faults or not files:
        _show(faults or ["Name at least one file, such as --users users.csv."], sys.stderr)
        return WRONG_USAGE
    return _import(settings, files, skip_bad_rows=options.skip_bad_rows)


def print_anything() -> None:
    """Let names that the terminal cannot show be escaped instead of stopping the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def store_fault(error: StoreUnavailable) -> str:
    """Return the sentence for a database that did not take part."""
    return _STORE_FAULTS[type(error)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.cli", description="Token Desk's commands.")
    commands = parser.add_subparsers(dest="command", required=True)
    importer = commands.add_parser(
        "import",
        help="add and update a directory from CSV files",
        description="Add and update a directory from CSV files, in one transaction.",
    )
    for name, sheet in SHEETS.items():
        importer.add_argument(
            f"--{name}", type=Path, metavar="F.csv", help=f"columns {', '.join(sheet.checks)}"
        )
    importer.add_argument(
        "--skip-bad-rows", action="store_true", help="take the good rows although some are refused"
    )
    return parser


def _read(paths: Mapping[str, Path], limit: int) -> tuple[dict[str, Parsed], list[str]]:
    files, faults = {}, []
    for name, path in paths.items():
        try:
            files[name] = parse(name, _content(path, limit))
        except FileFault as fault:
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
        raise FileFault(msg)
    return content


def _import(settings: Settings, files: Mapping[str, Parsed], *, skip_bad_rows: bool) -> int:
    engine = open_engine(settings.url)
    try:
        migrate(engine)
        ledger = Ledger(engine, clock.now, Seal.of(settings.pepper_keys))
        report = import_directory(ledger, files, skip_bad_rows=skip_bad_rows)
    except StoreUnavailable as error:
        _show([store_fault(error)], sys.stderr)
        return SOMETHING_REFUSED
    finally:
        engine.dispose()
    _show(report_lines(report), sys.stdout)
    return ALL_TAKEN if report.all_taken else SOMETHING_REFUSED


def report_lines(report: Report) -> Iterator[str]:
    """Yield what to print of `report`: a line a file, a line a refused row, and what follows."""
    for name, file in report.files.items():
        yield _counts(name, file)
        if file.ignored:
            yield f"  columns not known and ignored: {', '.join(map(shown, file.ignored))}"
        yield from map(_refused, file.refusals)
    if not report.written:
        yield "Nothing was written: mend these rows, or take the others with --skip-bad-rows."


def _counts(name: str, file: FileReport) -> str:
    return (
        f"{name}: {file.added:,} added, {file.updated:,} updated,"
        f" {file.unchanged:,} unchanged, {len(file.refusals):,} refused"
    )


def _refused(refusal: Refusal) -> str:
    return f"  line {refusal.line}: {refusal.field} {shown(refusal.value)}: {refusal.reason}"


def shown(value: str) -> str:
    """Return `value` in quotation marks, short, and with control characters spelled out."""
    short = value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 1]}…"
    return repr(short)


def _show(lines: Iterator[str] | Sequence[str], stream: TextIO) -> None:
    stream.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
