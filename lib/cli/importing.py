"""`python -m lib.cli import --users F.csv …` takes a directory from CSV files."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lib.cli.console import FAILED, SUCCEEDED, WRONG_USAGE, print_text, printable, with_database
from lib.cli.import_report import report_json, report_lines
from lib.domain.errors import UnknownPersonError
from lib.operations.imports.csv_reader import FileError
from lib.operations.imports.field_map import FieldMapError, Template, read_map
from lib.operations.imports.import_directory import ImportOptions, import_directory
from lib.operations.imports.parse import Parsed, parse
from lib.operations.imports.schema import SCHEMAS, USERS
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings

#: What is about the users file alone, by option and the name of its value.
_ABOUT_USERS = {
    "--same-person": "same_person",
    "--missing": "missing",
    "--deactivate-missing": "deactivate_missing",
}


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `import`."""
    importer = add(
        "import",
        help="add and update a directory from CSV files",
        description="Add and update a directory from CSV files, in one transaction.",
    )
    for name, schema in SCHEMAS.items():
        importer.add_argument(
            f"--{name}",
            type=Path,
            action="append",
            metavar="F.csv",
            help=f"columns {', '.join(schema.checks)}",
        )
    _declare_reading(importer)
    _declare_missing(importer)
    importer.add_argument("--dry-run", action="store_true", help="say what would be done, only")
    importer.add_argument("--json", action="store_true", help="the report as one line of JSON")
    importer.set_defaults(run=_run)


def _declare_reading(importer: argparse.ArgumentParser) -> None:
    importer.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=TEMPLATE",
        help="what a field of the users file (or of the only file) is made of, {Header} standing"
        " for a cell: 'name={First} {Last}'; may be given several times",
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


def _declare_missing(importer: argparse.ArgumentParser) -> None:
    importer.add_argument(
        "--missing",
        action="store_true",
        help="list the active users whom no line names, in the organizations that the file names",
    )
    importer.add_argument(
        "--deactivate-missing",
        type=_whole_number,
        metavar="N",
        help="make them inactive, when they are exactly N",
    )


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        msg = f"{text!r} is no whole number"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    paths = {name: named[0] for name in SCHEMAS if (named := getattr(options, name))}
    faults = list(_wrong_usage(options, paths))
    files: dict[str, Parsed] = {}
    if not faults:
        files, faults = _read(paths, settings.import_max, options.map)
    if faults:
        print_text(faults, sys.stderr)
        return WRONG_USAGE
    import_options = ImportOptions(
        options.skip_bad_rows,
        options.same_person,
        options.missing,
        options.deactivate_missing,
        options.dry_run,
    )

    def take(unit_of_work: UnitOfWork) -> int:
        try:
            report = import_directory(unit_of_work, files, import_options)
        except UnknownPersonError as error:
            print_text([_nobody(error)], sys.stderr)
            return WRONG_USAGE
        print_text([report_json(report)] if options.json else report_lines(report))
        return SUCCEEDED if report.all_taken else FAILED

    return with_database(settings, take)


def _wrong_usage(options: argparse.Namespace, paths: Mapping[str, Path]) -> Iterator[str]:
    """Yield what is wrong with the options, each in a sentence."""
    if not paths:
        yield "Name at least one file, such as --users users.csv."
    for name in paths:
        if len(getattr(options, name)) > 1:
            yield f"--{name} is named twice: import one file after the other, or join them."
    for option, value in _ABOUT_USERS.items():
        wanted = getattr(options, value)
        given = wanted is not None and wanted is not False and wanted != []
        if given and USERS not in paths:
            yield f"{option} is about the users file: name that with --users."
    if options.map and USERS not in paths and len(paths) > 1:
        yield "--map is about the users file, or the only file: import this one by itself."
    if options.deactivate_missing is not None and options.skip_bad_rows:
        yield (
            "--deactivate-missing does not go with --skip-bad-rows: whoever is on a bad row would"
            " be taken for missing. Mend the rows first."
        )


def _nobody(error: UnknownPersonError) -> str:
    return (
        f"--same-person: the directory has nobody of the username {printable(error.username)}."
        " Look at its spelling. Nothing was changed."
    )


def _read(
    paths: Mapping[str, Path], limit: int, mapped: list[str]
) -> tuple[dict[str, Parsed], list[str]]:
    files, faults = {}, []
    templates: dict[str, Mapping[str, Template]] = {}
    try:
        of = USERS if USERS in paths else next(iter(paths))
        templates[of] = read_map(mapped, SCHEMAS[of].checks)
    except FieldMapError as fault:
        return {}, [f"--map {fault}."]
    for name, path in paths.items():
        try:
            files[name] = parse(name, _content(path, limit), templates.get(name, {}))
        except FileError as fault:
            faults.append(f"{name}: {path}: {fault}.")
        except FieldMapError as fault:
            faults.append(f"{name}: {path}: --map {fault}.")
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
