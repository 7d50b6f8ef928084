"""What one browser session remembers between reruns, spelled in one place. Never a token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import streamlit as st

from lib.domain.operations import Receipt
from lib.domain.plan import Plan
from lib.operations.export_download import ExportDownload
from lib.operations.off_boarding import OffBoarding
from lib.operations.recall import Recall

_KEY = "desk"


class Step(IntEnum):
    """Which confirmation is open."""

    FIRST = 1
    SECOND = 2


@dataclass
class OpenConfirmation:
    """An action between its first confirmation and its end."""

    plan: Plan
    step: Step = Step.FIRST
    delivery: ExportDownload | None = None
    error: Exception | None = None
    reason: str = ""
    approved: bool = False

    @property
    def minting(self) -> bool:
        """Tell whether the click that mints has come: its end is then awaited, whatever else."""
        return bool(self.delivery and self.delivery.begun and not self.error)


class ApprovedPlan(NamedTuple):
    """An approved plan whose last confirmation opens on the page of its tokens."""

    plan: Plan
    reason: str


@dataclass
class FinishedOperation:
    """A finished operation whose receipt is on the page."""

    receipt: Receipt
    delivery: ExportDownload | None = None


@dataclass
class TableFrame:
    """The page of the token table as the browser has it: frozen, so that a tick sends no rows."""

    made_from: tuple[Any, ...] = ()
    number: int = 0
    frame: Any = None


@dataclass
class MatchingUsers:
    """The users who match the search, read once per search, filter and revision."""

    made_from: tuple[Any, ...] = ()
    member_ids: list[str] = field(default_factory=list)
    members: frozenset[str] = frozenset()
    users: int = 0


@dataclass
class PagerState:
    """The way through a list that is read by keyset: behind which keys its pages began."""

    made_from: tuple[Any, ...] = ()
    begins: list[str] = field(default_factory=list)


@dataclass
class OpenOffBoarding:
    """An off-boarding: between the question and its answer, or done with its receipts."""

    off_boarding: OffBoarding
    error: Exception | None = None
    receipts: tuple[Receipt, ...] = ()


@dataclass
class OpenApproval:
    """A request for approval that is about to be answered (four eyes)."""

    approve: bool
    error: Exception | None = None


@dataclass
class OpenRecall:
    """Leaked tokens that were found; `wide` with all that the same operations made."""

    recall: Recall
    wide: bool = False
    confirming: bool = False
    error: Exception | None = None


@dataclass
class Place:
    """An organization and a service, as the URL says them."""

    organization_id: str = ""
    service_id: str = ""


@dataclass
class Session:
    """One browser session. All of it but the person and the place ends when either changes."""

    username: str = ""
    place: Place = field(default_factory=Place)
    url_seen: Place = field(default_factory=Place)
    where: tuple[str, ...] = ()
    selected: set[str] = field(default_factory=set)
    selection_version: int = 0
    matching: MatchingUsers = field(default_factory=MatchingUsers)
    listing: TableFrame = field(default_factory=TableFrame)
    confirming: OpenConfirmation | None = None
    opening: ApprovedPlan | None = None
    done: FinishedOperation | None = None
    notice: str = ""
    told: str = ""
    shown_token: str = ""
    declining: str = ""
    revoking: str = ""
    refused: set[tuple[str, ...]] = field(default_factory=set)
    activity_view: str = ""
    pagers: dict[str, PagerState] = field(default_factory=dict)
    answering: OpenApproval | None = None
    leaving: OpenOffBoarding | None = None
    recalling: OpenRecall | None = None
    recalled: tuple[Receipt, ...] = ()
    files_dropped: int = 0

    def select(self, member_ids: set[str]) -> None:
        """Select exactly these users; the table is drawn anew with its ticks."""
        self.selected = member_ids
        self.selection_version += 1

    def leave(self) -> None:
        """Forget what belongs to the place that is left; a mint under way is met again there."""
        self.select(set())
        self.matching, self.listing = MatchingUsers(), TableFrame(number=self.listing.number)
        if self.confirming and not self.confirming.minting:
            self.confirming = None
        self.done = None
        self.notice = self.told = self.shown_token = self.declining = self.revoking = ""
        self.recalling, self.recalled = None, ()
        self.pagers = {}
        self.open_activity_view("")

    def open_activity_view(self, what: str) -> None:
        """Go to the list, an operation or a person on Activity; what was begun elsewhere ends."""
        if what != self.activity_view:
            self.activity_view, self.told = what, ""
            self.answering = self.leaving = None


def session() -> Session:
    """Return what this browser session remembers."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Session()
    remembered: Session = st.session_state[_KEY]
    return remembered


def has_person(state: Mapping[str, Any]) -> bool:
    """Tell whether somebody is signed in in a browser session, by its whole state."""
    return _KEY in state and bool(state[_KEY].username)


def set_value(key: str, value: object) -> None:
    """Set a widget's value before it is drawn, or in a callback."""
    st.session_state[key] = value


def value(key: str, default: Any = None) -> Any:  # noqa: ANN401 - whatever the widget holds
    """Return a widget's value, also before it is drawn."""
    return st.session_state.get(key, default)
