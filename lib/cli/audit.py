"""`python -m lib.cli audit verify` verifies the audit trail; `audit anchor` prints its ends.

Keep the anchor elsewhere. It reveals that the last events of a chain were removed, even if the head
of the chain was set back as well.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from lib.cli.console import FAILED, SUCCEEDED, WRONG_USAGE, print_text, printable, with_database
from lib.domain.audit import GLOBAL_CHAIN, NO_MAC, ChainHead
from lib.domain.audit_verification import BadEvent, TamperingKind
from lib.domain.clock import iso
from lib.domain.plural import counted
from lib.operations.audit import Anchors, ChainReport, anchor, verify
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings

_SENTENCES = {
    TamperingKind.CHANGED: "was changed after it was written, or replaced by another event",
    TamperingKind.MISSING: "is missing",
    TamperingKind.EXTRA: "is extra: Token Desk did not write it",
    TamperingKind.MOVED: "changed places with a later event",
    TamperingKind.UNKNOWN_KEY: "was written with a key that TOKEN_DESK_PEPPERS does not have",
    TamperingKind.OTHER_KEY: "was sealed with another key than the one that TOKEN_DESK_PEPPERS has"
    " under its number: keep the old key there, and give the new one the next number",
    TamperingKind.HEAD: "is correct and the last one, but the head of the chain does not match it",
    TamperingKind.CUT: "is missing: the anchor shows that the end of the chain was cut off",
    TamperingKind.ANCHOR: "is not the event that the anchor shows",
}
_LAST_MOMENT = 253_402_300_799_999  # 9999-12-31, the last date that Python can format


class AnchorError(Exception):
    """The anchor file cannot be read; the text names the line and the reason."""


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `audit` with its subcommands `verify` and `anchor`."""
    auditing = add("audit", help="verify the audit trail")
    commands = auditing.add_subparsers(dest="audit_command", required=True)
    verifying = commands.add_parser(
        "verify", help="verify every chain; name the first bad event of each"
    )
    verifying.add_argument(
        "--anchor", type=Path, metavar="FILE", help="what `audit anchor` printed earlier"
    )
    verifying.set_defaults(run=_verify)
    anchoring = commands.add_parser(
        "anchor", help="print the end of every chain, to keep elsewhere"
    )
    anchoring.set_defaults(run=_anchor)


def _verify(settings: Settings, options: argparse.Namespace) -> int:
    try:
        anchors = read_anchors(options.anchor) if options.anchor else {}
    except AnchorError as error:
        print_text([str(error)], sys.stderr)
        return WRONG_USAGE

    def act(unit_of_work: UnitOfWork) -> int:
        verdict = verify(unit_of_work.engine, unit_of_work.keyring, anchors)
        print_text([sentence(bad) for bad in verdict.bad], sys.stderr)
        print_text([_total(verdict)])
        return FAILED if verdict.bad else SUCCEEDED

    return with_database(settings, act, any_pepper=True)


def _anchor(settings: Settings, _options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        print_text(
            json.dumps({"chain": chain, "number": head.number, "mac": head.mac.hex()})
            for chain, head in anchor(unit_of_work.engine).items()
        )
        return SUCCEEDED

    return with_database(settings, act)


def sentence(bad: BadEvent) -> str:
    """Return a sentence that names the event, its time if readable, and what is wrong."""
    chain = "no organization" if bad.chain == GLOBAL_CHAIN else printable(bad.chain).strip("'\"")
    number = bad.number if isinstance(bad.number, int) else printable(bad.number)
    at = bad.happened_at
    readable = isinstance(at, int) and 0 < at <= _LAST_MOMENT
    when = f" of {iso(at)}" if isinstance(at, int) and readable else ""
    return f"Chain of {chain}: event {number}{when} {_SENTENCES[bad.kind]}."


def _total(verdict: ChainReport) -> str:
    events, chains = counted(verdict.events, "event"), counted(verdict.chains, "chain")
    if not verdict.bad:
        return f"{events} in {chains}: all correct."
    keys = {TamperingKind.OTHER_KEY, TamperingKind.UNKNOWN_KEY}
    what = "not verified without its key" if keys.issuperset(_kinds(verdict)) else "broken"
    return f"{len(verdict.bad):,} of {chains} {what}; {events} before that correct."


def _kinds(verdict: ChainReport) -> set[TamperingKind]:
    return {bad.kind for bad in verdict.bad}


def read_anchors(path: Path) -> Anchors:
    """Return the ends of chains from a file of `audit anchor`, by chain. Raises AnchorError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        msg = f"{path}: the file cannot be read: {error.strerror}."
        raise AnchorError(msg) from None
    except UnicodeDecodeError:
        _refuse(path, 1)
    return _anchors(path, lines)


def _anchors(path: Path, lines: Iterable[str]) -> Anchors:
    found: defaultdict[str, list[ChainHead]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            end = json.loads(line)
            chain, head = end["chain"], ChainHead(end["number"], bytes.fromhex(end["mac"]))
        except (ValueError, TypeError, KeyError):
            _refuse(path, number)
        if not isinstance(chain, str) or type(head.number) is not int or head.number < 0:
            _refuse(path, number)
        if len(head.mac) != len(NO_MAC):
            _refuse(path, number)
        found[chain].append(head)
    if not found:
        msg = f"{path}: this file has no anchor."
        raise AnchorError(msg)
    return found


def _refuse(path: Path, line: int) -> NoReturn:
    msg = f"{path}: line {line} is not a line of `audit anchor`."
    raise AnchorError(msg)
