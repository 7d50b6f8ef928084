"""The rows of a file that are not taken, and why."""

from collections.abc import Iterator
from typing import NamedTuple

from lib.domain.search import caseless
from lib.operations.imports.cell_checks import visible
from lib.operations.imports.packed import Packed

MOST_LISTED = 10_000  # refusals of a file that are listed; more would fill the memory


class Refusal(NamedTuple):
    """A row that is not taken; `line` is where it starts in the file, the header being line 1."""

    line: int
    field: str
    value: str
    reason: str


class Refusals:
    """How many rows of a file are refused, the first of them, and whom they name."""

    def __init__(self) -> None:
        """Begin with none."""
        self._listed: list[Refusal] = []
        self._names: Packed[str] = Packed(1)

    def add(self, refusal: Refusal, named: str) -> None:
        """Add the refusal of a row whose first key column is `named`."""
        if len(self._listed) < MOST_LISTED:
            self._listed.append(refusal)
        self._names.add(0, caseless(visible(named)))

    def copy(self) -> "Refusals":
        """Return the same, to which more can be added."""
        copied = Refusals()
        copied._listed = [*self._listed]
        for name in self._names.part(0):
            copied._names.add(0, name)
        return copied

    def names(self) -> list[str]:
        """Return what the refused rows name, without regard to case and to what nobody sees."""
        return self._names.part(0)

    def __iter__(self) -> Iterator[Refusal]:
        """Yield the refusals that are listed, by line."""
        return iter(sorted(self._listed))

    def __len__(self) -> int:
        """Return how many rows are refused."""
        return len(self._names)
