"""Changes of the audit trail by somebody who can write the database and has no key."""

import random
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from lib.domain.audit import NO_MAC, ChainHead, SealedEvent
from lib.domain.audit_verification import TamperingKind

COLUMNS = SealedEvent._fields
NUMBERS = {"number", "happened_at", "users", "key_number"}
Found = tuple[str, object, TamperingKind]


@dataclass
class Tampering:
    """One change of the trail in a transaction; `expected` is what verification must find."""

    connection: Connection
    chance: random.Random
    chains: dict[str, ChainHead]
    expected: list[Found] = field(default_factory=list)
    anchored: bool = False  # only an anchor finds it

    def run(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Execute a statement; return its rows."""
        result = self.connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []

    def pick(self, *, least: int = 1, ahead: int = 0) -> tuple[str, int]:
        """Return a chain and the number of one of its events, with `ahead` more after it."""
        chain = self.chance.choice([c for c, head in self.chains.items() if head.number > ahead])
        return chain, self.chance.randint(least, self.chains[chain].number - ahead)

    def event(self, chain: str, number: int) -> dict[str, Any]:
        """Return a stored event."""
        (row,) = self.run(
            f"SELECT {', '.join(COLUMNS)} FROM audit_event WHERE organization_id = :c"
            " AND number = :n",
            c=chain,
            n=number,
        )
        return dict(zip(COLUMNS, row, strict=True))

    def update(self, chain: str, number: int, values: dict[str, object]) -> None:
        """Change columns of one event."""
        changes = ", ".join(f"{name} = :new_{name}" for name in values)
        self.run(
            f"UPDATE audit_event SET {changes} WHERE organization_id = :c AND number = :n",
            c=chain,
            n=number,
            **{f"new_{name}": value for name, value in values.items()},
        )

    def insert(self, event: dict[str, Any]) -> None:
        """Insert a row."""
        marks = ", ".join(f":{name}" for name in COLUMNS)
        self.run(f"INSERT INTO audit_event ({', '.join(COLUMNS)}) VALUES ({marks})", **event)

    def set_head(self, chain: str, head: ChainHead) -> None:
        """Change the head of a chain."""
        self.run(
            "UPDATE audit_head SET number = :n, mac = :m WHERE organization_id = :c",
            c=chain,
            n=head.number,
            m=head.mac,
        )


def edit(t: Tampering) -> None:
    """Change any column of any event."""
    chain, number = t.pick()
    column = t.chance.choice(COLUMNS)
    if column == "organization_id":
        _move(t, chain, number)
        return
    value = _other(t, column, t.event(chain, number)[column])
    t.update(chain, number, {column: value})
    if column == "number":
        wrong = (
            (chain, value, TamperingKind.EXTRA)
            if value < 1
            else (chain, number, TamperingKind.MISSING)
        )
    else:
        kind = TamperingKind.UNKNOWN_KEY if column == "key_number" else TamperingKind.CHANGED
        wrong = (chain, number, kind)
    t.expected.append(wrong)


def _move(t: Tampering, chain: str, number: int) -> None:
    """Move an event to another organization: it is missing here and extra there."""
    free = [c for c, head in t.chains.items() if head.number < number]
    target = t.chance.choice([*free, "ELSEWH"])
    t.update(chain, number, {"organization_id": target})
    t.expected += [
        (chain, number, TamperingKind.MISSING),
        (target, number, _alone(t, target, number)),
    ]


def _alone(t: Tampering, target: str, number: int) -> TamperingKind:
    """Return the finding for a first event: in a new chain it looks like a changed one."""
    return TamperingKind.CHANGED if number == 1 and target not in t.chains else TamperingKind.EXTRA


def _other(t: Tampering, column: str, value: Any) -> Any:
    if column == "mac":
        return t.chance.randbytes(t.chance.choice([0, 1, 31, 32, 33]))
    if column == "number":
        return t.chance.choice([0, -7, 10_000 + t.chance.randrange(9)])
    if column in NUMBERS:
        return value + t.chance.choice([-1, 1, 2**20])
    new = t.chance.choice(["", "x", f"{value} ", value[:-1], value.upper(), "\u202e", "null"])
    return new if new != value else f"{value}1"


def delete(t: Tampering) -> None:
    """Delete one event. The later ones stay, or move up."""
    chain, number = t.pick()
    t.run("DELETE FROM audit_event WHERE organization_id = :c AND number = :n", c=chain, n=number)
    kind = TamperingKind.MISSING
    if t.chance.random() < 1 / 2 and number < t.chains[chain].number:
        _shift(t, chain, number + 1, -1)
        kind = TamperingKind.CHANGED  # another stands in its place
    t.expected.append((chain, number, kind))


def insert(t: Tampering) -> None:
    """Insert a made-up event at the end or in the middle, with or without the matching head."""
    chain, copied = t.pick()
    end = t.chains[chain].number + 1
    number = t.chance.randint(1, end)
    if number < end:
        _shift(t, chain, number, 1)
        copied += copied >= number
    mac = t.chance.choice([t.chance.randbytes(32), t.chains[chain].mac, NO_MAC])
    made_up = {"number": number, "mac": mac, "event_id": f"{t.chance.getrandbits(128):032x}"}
    t.insert(t.event(chain, copied) | made_up)
    kind = TamperingKind.EXTRA
    if t.chance.random() < 1 / 2:
        t.set_head(chain, ChainHead(end, mac if number == end else t.chains[chain].mac))
        kind = TamperingKind.CHANGED if number == end else TamperingKind.EXTRA
    t.expected.append((chain, number, kind))


def swap(t: Tampering) -> None:
    """Swap two events, with or without their hashes."""
    chain, first = t.pick(ahead=1)
    second = t.chance.randint(first + 1, t.chains[chain].number)
    before, after = t.event(chain, first), t.event(chain, second)
    staying = {"organization_id", "number"}
    if t.chance.random() < 1 / 2:
        staying |= {"mac"}
    for number, event in ((first, after), (second, before)):
        t.update(chain, number, {k: v for k, v in event.items() if k not in staying})
    t.expected.append((chain, first, TamperingKind.MOVED))


def cut(t: Tampering) -> None:
    """Cut the end of a chain. Its head stays, is set back, or is deleted with the whole chain."""
    chain, number = t.pick()
    kept = number - 1
    form = t.chance.choice([_keep_head, _set_back, _forget])
    kind = form(t, chain, kept)
    t.run("DELETE FROM audit_event WHERE organization_id = :c AND number > :k", c=chain, k=kept)
    t.expected.append((chain, number, kind))


def _keep_head(_t: Tampering, _chain: str, _kept: int) -> TamperingKind:
    return TamperingKind.MISSING


def _set_back(t: Tampering, chain: str, kept: int) -> TamperingKind:
    t.set_head(chain, ChainHead(kept, t.event(chain, kept)["mac"]) if kept else ChainHead())
    t.anchored = True
    return TamperingKind.CUT


def _forget(t: Tampering, chain: str, kept: int) -> TamperingKind:
    """Delete the head. A chain with events and no head is broken in any case."""
    t.run("DELETE FROM audit_head WHERE organization_id = :c", c=chain)
    t.anchored = kept == 0
    return TamperingKind.CUT


def _shift(t: Tampering, chain: str, first: int, by: int) -> None:
    """Renumber the events from `first` on, around the unique index."""
    t.run(
        "UPDATE audit_event SET number = -(number + :by) WHERE organization_id = :c"
        " AND number >= :n",
        c=chain,
        n=first,
        by=by,
    )
    t.run(
        "UPDATE audit_event SET number = -number WHERE organization_id = :c AND number < 0",
        c=chain,
    )


KINDS = (edit, delete, insert, swap, cut)
