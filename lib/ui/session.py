"""The state of one browser session: everything that is kept between reruns. Never a token."""

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

_KEY = "session"


class Step(IntEnum):
    """Which of the two confirmations is open."""

    FIRST = 1
    SECOND = 2


@dataclass
class OpenConfirmation:
    """An action whose confirmation is open: from the first confirmation to the result."""

    plan: Plan
    step: Step = Step.FIRST
    download: ExportDownload | None = None
    error: Exception | None = None
    reason: str = ""
    approved: bool = False

    @property
    def download_begun(self) -> bool:
        """Tell whether the download was clicked: the page then waits for its result in any case."""
        return bool(self.download and self.download.begun and not self.error)


class ApprovedPlan(NamedTuple):
    """A plan with an approval: the API Tokens page opens its last confirmation."""

    plan: Plan
    reason: str


@dataclass
class FinishedOperation:
    """A finished operation. The page shows its receipt until `Done` is pressed."""

    receipt: Receipt
    download: ExportDownload | None = None


@dataclass
class TableFrame:
    """The rows of the token table that the browser has.

    The frame stays the same object until its rows change, so that a tick sends no rows.
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
class PagerState:
    """The pages of a list that a person has opened so far.

    `page_starts` has the key of the row before each page; the first page has none.
    """

    made_from: tuple[Any, ...] = ()
    page_starts: list[str] = field(default_factory=list)


@dataclass
class OpenOffBoarding:
    """An off-boarding: waiting for its confirmation, or done, with its receipts."""

    off_boarding: OffBoarding
    error: Exception | None = None
    receipts: tuple[Receipt, ...] = ()


@dataclass
class OpenApproval:
    """The open confirmation of an answer to a request for approval (four eyes)."""

    approve: bool
    error: Exception | None = None


@dataclass
class OpenRecall:
    """Leaked tokens that were found; `confirming` while the confirmation is open.

    `wide` tells whether the other tokens of the same operations were added.
    """

    recall: Recall
    wide: bool = False
    confirming: bool = False
    error: Exception | None = None


@dataclass
class Place:
    """The organization and the service that the URL names; an empty id for none."""

    organization_id: str = ""
    service_id: str = ""


@dataclass
class Session:
    """One browser session. All but the person and the place is reset when either changes."""

    username: str = ""
    #: The name that the proxy gave this person.
    proxy_name: str = ""
    place: Place = field(default_factory=Place)
    #: The place that was in the URL when it was last read or written.
    last_url: Place = field(default_factory=Place)
    #: Page, username, organization and service of the last run.
    last_page: tuple[str, ...] = ()
    #: The ids of the members who are ticked in the token table.
    selected: set[str] = field(default_factory=set)
    selection_version: int = 0
    matching_users: MatchingUsers = field(default_factory=MatchingUsers)
    token_table_frame: TableFrame = field(default_factory=TableFrame)
    open_confirmation: OpenConfirmation | None = None
    approved_plan: ApprovedPlan | None = None
    finished_operation: FinishedOperation | None = None
    #: What the last step did, for the next run.
    flash: str = ""
    #: Why the last step did nothing, for the next run.
    flash_error: str = ""
    #: The accepted token, or the client id, whose secret is shown once.
    new_token_id: str = ""
    new_client_id: str = ""
    #: What an open confirmation would decline, end or revoke.
    declining_token_id: str = ""
    ending_client_id: str = ""
    revoking_grant_id: str = ""
    #: Refusals in the audit trail: each one is recorded once per browser session.
    recorded_refusals: set[tuple[str, ...]] = field(default_factory=set)
    #: The operation or the person that is open on Activity; empty for the list.
    activity_view: str = ""
    pagers: dict[str, PagerState] = field(default_factory=dict)
    open_approval: OpenApproval | None = None
    open_off_boarding: OpenOffBoarding | None = None
    open_recall: OpenRecall | None = None
    recall_receipts: tuple[Receipt, ...] = ()
    #: How many files were dropped on Recall: a new number makes an empty field.
    files_dropped: int = 0

    def select(self, member_ids: set[str]) -> None:
        """Select exactly these users, and draw the table anew with their ticks."""
        self.selected = member_ids
        self.selection_version += 1

    def clear_flash(self) -> None:
        """Remove what the last step said, before the next step says something."""
        self.flash = self.flash_error = ""

    def forget_new_secret(self) -> None:
        """Show no new token and no new client secret any more."""
        self.new_token_id = self.new_client_id = ""

    def reset_page(self) -> None:
        """Reset what belongs to a page, a person or a place. Call it when one of them changes.

        A download that has begun is kept: its result appears when the person comes back.
        """
        self.select(set())
        self.matching_users = MatchingUsers()
        self.token_table_frame = TableFrame(number=self.token_table_frame.number)
        if self.open_confirmation and not self.open_confirmation.download_begun:
            self.open_confirmation = None
        self.finished_operation = None
        self.clear_flash()
        self.forget_new_secret()
        self.declining_token_id = self.ending_client_id = self.revoking_grant_id = ""
        self.open_recall, self.recall_receipts = None, ()
        self.pagers = {}
        self.open_activity_view("")

    def open_activity_view(self, what: str) -> None:
        """Open an operation or a person on Activity, or the list (`what` is empty then).

        Closes what is open on another view of Activity.
        """
        if what != self.activity_view:
            self.activity_view, self.flash = what, ""
            self.open_approval = self.open_off_boarding = None


def session() -> Session:
    """Return the state of this browser session; the first call makes an empty one."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Session()
    remembered: Session = st.session_state[_KEY]
    return remembered


def has_person(state: Mapping[str, Any]) -> bool:
    """Tell whether a browser session has a signed-in person. `state` is its whole session state."""
    return _KEY in state and bool(state[_KEY].username)


def set_value(key: str, value: object) -> None:
    """Set the value of the widget `key`, before the widget is drawn or in a callback."""
    st.session_state[key] = value


def value(key: str, default: Any = None) -> Any:  # noqa: ANN401 - whatever the widget holds
    """Return the value of the widget `key`, also before it is drawn; `default` without one."""
    return st.session_state.get(key, default)
