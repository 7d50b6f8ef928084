"""`python -m lib.cli recall FILE`: find the leaked tokens in a file, and end them."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from lib.cli.console import FAILED, SUCCEEDED, WRONG_USAGE, print_text, with_database
from lib.domain.clock import iso
from lib.domain.errors import PlanOutdatedError
from lib.domain.leaks.containers import UNPACK_YOURSELF
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.token_format import Minting
from lib.operations import recall
from lib.operations.leak_reader.reader import LeakSource
from lib.operations.recall import Recall
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings

_YES = {"y", "yes"}
_STANDARD_INPUT = "-"
_PIPE = "standard input"


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `recall`."""
    recalling = add("recall", help="find leaked tokens in a file, and end them")
    recalling.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="any file or archive; - for standard input, with --yes",
    )
    recalling.add_argument("--yes", action="store_true", help="end them without asking")
    recalling.add_argument(
        "--whole", action="store_true", help="end all tokens that the same operations exported"
    )
    recalling.add_argument("--reason", default="", help="for the audit trail")
    recalling.set_defaults(run=_recall)


def _recall(settings: Settings, options: argparse.Namespace) -> int:
    is_standard_input = str(options.file) == _STANDARD_INPUT
    if is_standard_input and not options.yes:
        print_text(
            ["With standard input as FILE, the command cannot ask you: add --yes."], sys.stderr
        )
        return WRONG_USAGE
    try:
        file = sys.stdin.buffer if is_standard_input else options.file.open("rb")
    except OSError as error:
        return _unreadable(options.file, error)
    with nullcontext() if is_standard_input else file:
        source = LeakSource(_PIPE if is_standard_input else options.file.name, file)
        return with_database(settings, lambda at: _look_up(at, source, settings, options))


def _unreadable(file: Path, error: OSError) -> int:
    """Print why a file cannot be read, and return the exit code."""
    print_text([f"{file}: the file cannot be read: {error.strerror or error}."], sys.stderr)
    return WRONG_USAGE


def _look_up(
    unit_of_work: UnitOfWork, source: LeakSource, settings: Settings, options: argparse.Namespace
) -> int:
    """Look the tokens of a file up, end them, and return the exit code."""
    minting = Minting(settings.token_prefix, settings.pepper_keys)
    try:
        found = recall.look_up_by_command(unit_of_work, source, minting, whole=options.whole)
    except OSError as error:
        return _unreadable(options.file, error)
    print_text(_describe(found))
    print_text(_describe_not_looked_into(found), sys.stderr)
    ended = _end(unit_of_work, found, options) if found.plans or found.barring else SUCCEEDED
    return FAILED if found.not_looked_into else ended


def _end(unit_of_work: UnitOfWork, found: Recall, options: argparse.Namespace) -> int:
    """End the found tokens when they may be ended, and return the exit code."""
    if not options.yes and not _confirmed(found):
        print_text(["Nothing was ended."])
        return FAILED
    try:
        receipts = recall.end_by_command(unit_of_work, found, reason=options.reason)
    except PlanOutdatedError:
        print_text(
            ["The tokens changed in the meantime. Nothing was ended; run the command again."],
            sys.stderr,
        )
        return FAILED
    print_text(_describe_receipts(receipts, found.barring))
    return SUCCEEDED


def _describe(found: Recall) -> Iterator[str]:
    """Yield the counts by organization, service and state, and the operations; never a token."""
    counts = Counter(
        (leaked.organization_id, leaked.service_id, leaked.state.value) for leaked in found.leaked
    )
    for (organization_id, service_id, state), tokens in sorted(counts.items()):
        yield f"{organization_id}  {service_id}  {state}: {tokens:,}"
    for organization_id, operation_id in sorted(found.operations):
        yield f"exported by operation {operation_id} of {organization_id}"
    if found.unknown:
        yield f"{counted(found.unknown, 'more token')} in our format, but not issued here."
    if not found.leaked:
        yield "The file has no token that was issued here."
    elif not found.plans:
        yield "All of them have already ended."


def _describe_not_looked_into(found: Recall) -> Iterator[str]:
    """Yield a line for each file that may hold more tokens, and what to do about them."""
    if found.not_looked_into:
        yield "Not looked into:"
        yield from (f"  {file}" for file in found.not_looked_into)
        yield UNPACK_YOURSELF


def _confirmed(found: Recall) -> bool:
    question = (
        f"End {counted(found.ending, 'token')}? Ended tokens stop working at once."
        if found.plans
        else f"Keep {counted(found.barring, 'ended token')} from being restored by an undo?"
    )
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in _YES


def _describe_receipts(receipts: tuple[Receipt, ...], barred: int) -> Iterator[str]:
    ended = sum(receipt.changed for receipt in receipts)
    if receipts:
        yield f"{counted(ended, 'token')} ended."
    if barred:
        yield f"{counted(barred, 'token')} that had ended can no longer be restored by an undo."
    for receipt in receipts:
        yield (
            f"{receipt.organization_id}  {receipt.service_id}  {receipt.action.value}:"
            f" {receipt.changed:,}, operation {receipt.operation_id}, {iso(receipt.confirmed_at)}"
        )
