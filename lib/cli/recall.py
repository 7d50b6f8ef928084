"""`python -m lib.cli recall FILE`: find the leaked tokens in a file, and end them."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.cli.console import FAILED, SUCCEEDED, WRONG_USAGE, print_text, with_database
from lib.domain.clock import iso
from lib.domain.errors import PlanOutdatedError
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.token_format import Minting, text_of
from lib.operations import recall
from lib.operations.recall import Recall
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings

_YES = {"y", "yes"}
_STANDARD_INPUT = "-"


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `recall`."""
    recalling = add("recall", help="find leaked tokens in a file, and end them")
    recalling.add_argument(
        "file", type=Path, metavar="FILE", help="any text; - for standard input, with --yes"
    )
    recalling.add_argument("--yes", action="store_true", help="end them without asking")
    recalling.add_argument(
        "--whole", action="store_true", help="end all tokens that the same operations exported"
    )
    recalling.add_argument("--reason", default="", help="for the audit trail")
    recalling.set_defaults(run=_recall)


def _recall(settings: Settings, options: argparse.Namespace) -> int:
    if str(options.file) == _STANDARD_INPUT and not options.yes:
        print_text(
            ["With standard input as FILE, the command cannot ask you: add --yes."], sys.stderr
        )
        return WRONG_USAGE
    try:
        text = _read(options.file, settings.import_max)
    except OSError as error:
        print_text([f"{options.file}: the file cannot be read: {error.strerror}."], sys.stderr)
        return WRONG_USAGE
    except ValueError as error:
        print_text([f"{options.file}: {error}."], sys.stderr)
        return WRONG_USAGE

    def act(unit_of_work: UnitOfWork) -> int:
        minting = Minting(settings.token_prefix, settings.pepper_keys)
        found = recall.look_up_by_command(unit_of_work, text, minting, whole=options.whole)
        print_text(_describe(found))
        if not found.plans and not found.barring:
            return SUCCEEDED
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

    return with_database(settings, act)


def _read(path: Path, limit: int) -> str:
    if str(path) == _STANDARD_INPUT:
        content = sys.stdin.buffer.read(limit + 1)
    else:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    if len(content) > limit:
        msg = f"it is larger than {limit:,} bytes; split it, or raise TOKEN_DESK_IMPORT_MAX"
        raise ValueError(msg)
    return text_of(content)


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
