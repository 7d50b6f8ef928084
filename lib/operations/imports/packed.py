"""Many rows in little memory.

A row of 60 characters takes 500 bytes as a dictionary, and a file may have a million of them. So
rows are kept as JSON, in parts, and one part at a time is unpacked.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from lib.domain.search import caseless

PART_BYTES = 100_000  # of a file, for each part of its rows
_BLOCK = 50  # items that wait as objects before they are packed together

Values: TypeAlias = dict[str, Any]
_Item = TypeVar("_Item")


class Row(NamedTuple):
    """A row that was read well: checked values by column."""

    line: int
    values: Values


class Packed(Generic[_Item]):
    """Items that JSON can hold, in numbered parts."""

    def __init__(self, parts: int) -> None:
        """Begin without items."""
        self.count = parts
        self._blocks: list[list[bytes]] = [[] for _ in range(parts)]
        self._waiting: list[list[_Item]] = [[] for _ in range(parts)]
        self._items = 0

    def add(self, part: int, item: _Item) -> None:
        """Add an item to a part."""
        waiting = self._waiting[part]
        waiting.append(item)
        self._items += 1
        if len(waiting) == _BLOCK:
            self._blocks[part].append(json.dumps(waiting, ensure_ascii=False).encode())
            waiting.clear()

    def part(self, number: int) -> list[_Item]:
        """Return the items of a part, in the order in which they were added."""
        items = [item for block in self._blocks[number] for item in json.loads(block)]
        return items + self._waiting[number]

    def parts(self) -> Iterator[list[_Item]]:
        """Yield the items of each part that has some."""
        for number in range(self.count):
            if items := self.part(number):
                yield items

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._items


class PackedRows:
    """Rows with the same columns; rows whose first column differs by case only share a part."""

    def __init__(self, columns: Iterable[str], parts: int = 1) -> None:
        """Begin without rows."""
        self.columns = tuple(columns)
        self.count = parts
        self._packed: Packed[list[Any]] = Packed(parts)

    def add(self, row: Row) -> None:
        """Add a row that has these columns."""
        number = self.number_of(row.values[self.columns[0]])
        self._packed.add(number, [row.line, *row.values.values()])

    def number_of(self, first: str) -> int:
        """Return which part has the rows whose first column is `first`."""
        return hash(caseless(first)) % self.count if self.count > 1 else 0

    def emptied(self) -> "PackedRows":
        """Return the same without rows, to be filled with some of them."""
        return PackedRows(self.columns, self.count)

    def part(self, number: int) -> list[Row]:
        """Return the rows of a part."""
        items = self._packed.part(number)
        return [Row(line, dict(zip(self.columns, rest, strict=True))) for line, *rest in items]

    def parts(self) -> Iterator[list[Row]]:
        """Yield the rows of each part that has some."""
        for number in range(self.count):
            if rows := self.part(number):
                yield rows

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, part by part."""
        for part in self.parts():
            yield from part

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._packed)
