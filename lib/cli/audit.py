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

from lib.cli.telling import REFUSED, TAKEN, WRONG_USAGE, show, shown, with_ledger
from lib.domain.audit import NO_MAC, REST, Head
from lib.domain.clock import iso
from lib.domain.inspection import BadEvent, Wrong
from lib.domain.words import count
from lib.operations.audit import Anchors, Verdict, anchor, verify
from lib.operations.ledger import Ledger
from lib.settings import Settings

_SENTENCES = {
    Wrong.CHANGED: "was changed after it was sealed, or another stands in its place",
    Wrong.MISSING: "is missing",
    Wrong.EXTRA: "is extra: Token Desk did not write it",
    Wrong.MOVED: "has changed places with a later one",
    Wrong.UNKNOWN_KEY: "was sealed with a key that TOKEN_DESK_PEPPERS does not have",
    Wrong.HEAD: "fits and is the last, but the head of the chain says something else",
    Wrong.CUT: "is missing: the anchor saw it, so the end of the chain was cut off",
    Wrong.ANCHOR: "is not the one that the anchor saw",
}
_LAST_MOMENT = 253_402_300_799_999  # 9999-12-31, the last that has a date


class AnchorFault(Exception):
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
    except AnchorFault as fault:
        show([str(fault)], sys.stderr)
        return WRONG_USAGE

    def act(ledger: Ledger) -> int:
        verdict = verify(ledger.engine, ledger.seal, anchors)
        show([sentence(bad) for bad in verdict.bad], sys.stderr)
        show([_total(verdict)])
        return REFUSED if verdict.bad else TAKEN

    return with_ledger(settings, act)


def _anchor(settings: Settings, _options: argparse.Namespace) -> int:
    def act(ledger: Ledger) -> int:
        show(
            json.dumps({"chain": chain, "number": head.number, "mac": head.mac.hex()})
            for chain, head in anchor(ledger.engine).items()
        )
        return TAKEN

    return with_ledger(settings, act)


def sentence(bad: BadEvent) -> str:
    """Return which event is bad, when it happened if that can be read, and what is wrong."""
    chain = "no organization" if bad.chain == REST else shown(bad.chain).strip("'\"")
    number = bad.number if isinstance(bad.number, int) else shown(bad.number)
    at = bad.happened_at
    readable = isinstance(at, int) and 0 < at <= _LAST_MOMENT
    when = f" of {iso(at)}" if isinstance(at, int) and readable else ""
    return f"Chain of {chain}: event {number}{when} {_SENTENCES[bad.wrong]}."


def _total(verdict: Verdict) -> str:
    events, chains = count(verdict.events, "event"), count(verdict.chains, "chain")
    if not verdict.bad:
        return f"{events} in {chains}: all fit."
    return f"{len(verdict.bad):,} of {chains} broken; {events} fit until there."


def read_anchors(path: Path) -> Anchors:
    """Return the ends that a file of `audit anchor` names, by chain. Raises AnchorFault."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        msg = f"{path}: the file cannot be read: {error.strerror}."
        raise AnchorFault(msg) from None
    except UnicodeDecodeError:
        _refuse(path, 1)
    return _anchors(path, lines)


def _anchors(path: Path, lines: Iterable[str]) -> Anchors:
    found: defaultdict[str, list[Head]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            chain, head = told["chain"], Head(told["number"], bytes.fromhex(told["mac"]))
        except (ValueError, TypeError, KeyError):
            _refuse(path, number)
        if not isinstance(chain, str) or type(head.number) is not int or head.number < 0:
            _refuse(path, number)
        if len(head.mac) != len(NO_MAC):
            _refuse(path, number)
        found[chain].append(head)
    if not found:
        msg = f"{path}: there is no anchor in this file."
        raise AnchorFault(msg)
    return found


def _refuse(path: Path, line: int) -> NoReturn:
    msg = f"{path}: line {line} is none of those that `audit anchor` prints."
    raise AnchorFault(msg)
