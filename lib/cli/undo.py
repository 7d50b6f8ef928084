"""`python -m lib.cli undo OPERATION`: take back an operation, or an off-boarding as a whole."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from lib.cli.console import FAILED, SUCCEEDED, print_text, printable, with_database
from lib.domain.clock import iso
from lib.domain.errors import (
    NothingToDoError,
    NotUndoableError,
    PlanOutdatedError,
    UnknownOperationError,
)
from lib.domain.operations import Receipt
from lib.domain.undo_plan import UndoPlan, UndoPreview
from lib.operations.undo import plan_undo_by_command, undo_by_command
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings
from lib.wording.undo import UNDO_REFUSALS, undo_details, undo_sentence

_OUTDATED = "The tokens changed in the meantime. Nothing was undone; run the command again."
_NOBODY = "Nothing was undone: no user has what the operation left."


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `undo`."""
    undoing = add("undo", help="take back an operation, as long as its time is not over")
    undoing.add_argument("operation", metavar="OPERATION", help="its id, as Activity shows it")
    undoing.add_argument("--dry-run", action="store_true", help="say what would happen, and stop")
    undoing.add_argument("--json", action="store_true", help="print one line of JSON")
    undoing.add_argument("--reason", default="", help="for the audit trail")
    undoing.set_defaults(run=_undo)


def _undo(settings: Settings, options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        try:
            plan = plan_undo_by_command(unit_of_work, options.operation.strip())
            receipts = (
                ()
                if options.dry_run
                else undo_by_command(unit_of_work, plan, reason=options.reason)
            )
        except (UnknownOperationError, NotUndoableError, PlanOutdatedError, NothingToDoError) as e:
            print_text([_message(e)], sys.stderr)
            return FAILED
        lines = [json.dumps(_facts(plan, receipts))] if options.json else _describe(plan, receipts)
        print_text(lines)
        return SUCCEEDED

    return with_database(settings, act)


def _message(error: Exception) -> str:
    """Return the sentence for an expected refusal."""
    if isinstance(error, UnknownOperationError):
        return (
            f"There is no operation {printable(error.operation_id)}. Activity shows each one's id."
        )
    if isinstance(error, NotUndoableError):
        return UNDO_REFUSALS[error.refusal]
    return _OUTDATED if isinstance(error, PlanOutdatedError) else _NOBODY


def _describe(plan: UndoPlan, receipts: tuple[Receipt, ...]) -> Iterator[str]:
    preview = plan.preview
    yield undo_sentence(preview)
    yield from undo_details(preview)
    for user in preview.skipped:
        yield f"skipped: {user.name}, {user.username}: {user.reason.value}"
    for receipt in receipts:
        yield (
            f"{receipt.organization_id}  {receipt.service_id}  undone: {receipt.undoes},"
            f" operation {receipt.operation_id}, {iso(receipt.confirmed_at)}"
        )
    if not receipts:
        yield "Dry run: nothing was changed."


def _facts(plan: UndoPlan, receipts: tuple[Receipt, ...]) -> dict[str, Any]:
    preview = plan.preview
    numbers = {name: getattr(preview, name) for name in UndoPreview.NUMBERS}
    return numbers | {
        "skipped": [
            {"name": user.name, "username": user.username, "reason": user.reason.value}
            for user in preview.skipped
        ],
        "operations": [
            {
                "organization_id": part.undone.organization_id,
                "service_id": part.undone.service_id,
                "undoes": part.undone.operation_id,
                "operation_id": part.operation_id if receipts else None,
            }
            for part in plan.parts
        ],
        "done": bool(receipts),
    }
