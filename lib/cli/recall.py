"""`python -m lib.cli recall FILE`: whose the leaked tokens in a file are, and their end."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.cli.console import REFUSED, TAKEN, WRONG_USAGE, print_text, with_database
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
        "--whole", action="store_true", help="end all that the same operations made"
    )
    recalling.add_argument("--reason", default="", help="for the audit trail")
    recalling.set_defaults(run=_recall)


def _recall(settings: Settings, options: argparse.Namespace) -> int:
    if str(options.file) == _STANDARD_INPUT and not options.yes:
        print_text(
            ["The text comes by standard input, so nobody can be asked: add --yes."], sys.stderr
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
        print_text(_found(found))
        if not found.plans:
            return TAKEN
        if not options.yes and not _agreed(found.ending):
            print_text(["Nothing was ended."])
            return REFUSED
        try:
            receipts = recall.end_by_command(unit_of_work, found, reason=options.reason)
        except PlanOutdatedError:
            print_text(
                ["Something changed meanwhile, so nothing was ended. Run it again."], sys.stderr
            )
            return REFUSED
        print_text(_receipt(receipts))
        return TAKEN

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


def _found(found: Recall) -> Iterator[str]:
    """Yield who holds what, an organization and service a line, never a token."""
    counts = Counter(
        (leaked.organization_id, leaked.service_id, leaked.state.value) for leaked in found.leaked
    )
    for (organization_id, service_id, state), tokens in sorted(counts.items()):
        yield f"{organization_id}  {service_id}  {state}: {tokens:,}"
    for organization_id, operation_id in sorted(found.operations):
        yield f"made by operation {operation_id} of {organization_id}"
    if found.unknown:
        yield f"{counted(found.unknown, 'more token')} of our shape, which nobody has."
    if not found.leaked:
        yield "No token of ours was found."
    elif not found.plans:
        yield "None of them works any more."


def _agreed(tokens: int) -> bool:
    sys.stdout.write(f"End {counted(tokens, 'token')}? What ends stops working at once. [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in _YES


def _receipt(receipts: tuple[Receipt, ...]) -> Iterator[str]:
    ended = sum(receipt.changed for receipt in receipts)
    yield f"{counted(ended, 'token')} ended."
    for receipt in receipts:
        yield (
            f"{receipt.organization_id}  {receipt.service_id}  {receipt.action.value}:"
            f" {receipt.changed:,}, operation {receipt.operation_id}, {iso(receipt.confirmed_at)}"
        )
