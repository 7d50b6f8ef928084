"""What the page Recipient API Tokens remembers while it is open."""

from dataclasses import dataclass, field
from typing import Any

from lib.domain.operations import Receipt
from lib.operations.kept_exports import KeptExport
from lib.ui.session import page_state


@dataclass
class FinishedOperation:
    """A finished operation. The page shows its receipt until `Done` is pressed.

    `export` is set after Generate & Export.
    """

    receipt: Receipt
    export: KeptExport | None = None


@dataclass
class TableFrame:
    """The rows of the token table that the browser has.

    The frame stays the same object until its rows change, so that a tick sends no rows. `number`
    is in the key of the table.
    """

    made_from: tuple[Any, ...] = ()
    number: int = 0
    frame: Any = None


@dataclass
class MatchingUsers:
    """The users who match the search. They are read once per search, filter and revision."""

    made_from: tuple[Any, ...] = ()
    member_ids: list[str] = field(default_factory=list)
    members: frozenset[str] = frozenset()
    users: int = 0


@dataclass
class TokensState:
    """The state of the page for one person, organization and service."""

    #: The ids of the members who are ticked in the table.
    selected: set[str] = field(default_factory=set)
    selection_version: int = 0
    matching_users: MatchingUsers = field(default_factory=MatchingUsers)
    table_frame: TableFrame = field(default_factory=TableFrame)
    finished_operation: FinishedOperation | None = None

    def select(self, member_ids: set[str]) -> None:
        """Select exactly these users, and draw the table anew with their ticks."""
        self.selected = member_ids
        self.selection_version += 1

    def finish(self, finished: FinishedOperation) -> None:
        """Show the receipt of an operation, and select nobody."""
        self.finished_operation = finished
        self.select(set())


def tokens_state() -> TokensState:
    """Return the state of the open page."""
    return page_state(TokensState)
