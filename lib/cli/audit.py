"""`python -m lib.cli audit verify` walks the audit trail; `audit anchor` prints where it ends.

An anchor that was kept elsewhere finds what is cut off the end of a chain with its head set back.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from lib.cli.console import REFUSED, TAKEN, WRONG_USAGE, print_text, printable, with_database
from lib.domain.audit import GLOBAL_CHAIN, NO_MAC, ChainHead
from lib.domain.audit_verification import BadEvent, TamperingKind
from lib.domain.clock import iso
from lib.domain.plural import counted
from lib.operations.audit import Anchors, ChainReport, anchor, verify
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings

_SENTENCES = {
    TamperingKind.CHANGED: "was changed after it was sealed, or another stands in its place",
    TamperingKind.MISSING: "is missing",
    TamperingKind.EXTRA: "is extra: Token Desk did not write it",
    TamperingKind.MOVED: "has changed places with a later one",
    TamperingKind.UNKNOWN_KEY: "was sealed with a key that TOKEN_DESK_PEPPERS does not have",
    TamperingKind.HEAD: "fits and is the last, but the head of the chain says something else",
    TamperingKind.CUT: "is missing: the anchor saw it, so the end of the chain was cut off",
    TamperingKind.ANCHOR: "is not the one that the anchor saw",
}
_LAST_MOMENT = 253_402_300_799_999  # 9999-12-31, the last that has a date


class AnchorError(Exception):
    """The anchor cannot be read; the text says where and why."""


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `audit` with its own two."""
    auditing = add("audit", help="verify the audit trail")
    commands = auditing.add_subparsers(dest="audit_command", required=True)
    verifying = commands.add_parser("verify", help="walk every chain; name the first bad event")
    verifying.add_argument(
        "--anchor", type=Path, metavar="FILE", help="what `audit anchor` printed earlier"
    )
    verifying.set_defaults(run=_verify)
    anchoring = commands.add_parser(
        "anchor", help="print the end of every chain, to be kept elsewhere"
    )
    anchoring.set_defaults(run=_anchor)


def _verify(settings: Settings, options: argparse.Namespace) -> int:
    try:
        anchors = read_anchors(options.anchor) if options.anchor else {}
    except AnchorError as fault:
        print_text([str(fault)], sys.stderr)
        return WRONG_USAGE

    def act(unit_of_work: UnitOfWork) -> int:
        verdict = verify(unit_of_work.engine, unit_of_work.keyring, anchors)
        print_text([sentence(bad) for bad in verdict.bad], sys.stderr)
        print_text([_total(verdict)])
        return REFUSED if verdict.bad else TAKEN

    return with_database(settings, act)


def _anchor(settings: Settings, _options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        print_text(
            json.dumps({"chain": chain, "number": head.number, "mac": head.mac.hex()})
            for chain, head in anchor(unit_of_work.engine).items()
        )
        return TAKEN

    return with_database(settings, act)


def sentence(bad: BadEvent) -> str:
    """Return which event is bad, when it happened if that can be read, and what is wrong."""
    chain = "no organization" if bad.chain == GLOBAL_CHAIN else printable(bad.chain).strip("'\"")
    number = bad.number if isinstance(bad.number, int) else printable(bad.number)
    at = bad.happened_at
    readable = isinstance(at, int) and 0 < at <= _LAST_MOMENT
    when = f" of {iso(at)}" if isinstance(at, int) and readable else ""
    return f"Chain of {chain}: event {number}{when} {_SENTENCES[bad.wrong]}."


def _total(verdict: ChainReport) -> str:
    events, chains = counted(verdict.events, "event"), counted(verdict.chains, "chain")
    if not verdict.bad:
        return f"{events} in {chains}: all fit."
    return f"{len(verdict.bad):,} of {chains} broken; {events} fit until there."


def read_anchors(path: Path) -> Anchors:
    """Return the ends that a file of `audit anchor` names, by chain. Raises AnchorFault."""
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
            told = json.loads(line)
            chain, head = told["chain"], ChainHead(told["number"], bytes.fromhex(told["mac"]))
        except (ValueError, TypeError, KeyError):
            _refuse(path, number)
        if not isinstance(chain, str) or type(head.number) is not int or head.number < 0:
            _refuse(path, number)
        if len(head.mac) != len(NO_MAC):
            _refuse(path, number)
        found[chain].append(head)
    if not found:
        msg = f"{path}: there is no anchor in this file."
        raise AnchorError(msg)
    return found


def _refuse(path: Path, line: int) -> NoReturn:
    msg = f"{path}: line {line} is none of those that `audit anchor` prints."
    raise AnchorError(msg)
