"""The state of one browser session: everything that is kept between reruns. Never a token.

Each feature keeps its state in a dataclass of its own, which `page_state` makes. All of these are
replaced whole when the page, the place or the person changes. What survives is in `Session`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from secrets import token_hex
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from lib.domain.plan import Plan
from lib.domain.worries import PeopleOfPlace, SavedView
from lib.operations.minting_download import MintingDownload

_KEY = "session"
_T = TypeVar("_T")


class Step(IntEnum):
    """Which of the two confirmations is open."""

    FIRST = 1
    SECOND = 2


@dataclass
class OpenConfirmation:
    """An action whose confirmation is open: from the first confirmation to the result.

    `needs_approval` tells whether a second API administrator must approve the plan, and `approved`
    whether that has happened.
    """

    plan: Plan
    step: Step = Step.FIRST
    download: MintingDownload | None = None
    error: Exception | None = None
    reason: str = ""
    needs_approval: bool = False
    approved: bool = False

    @property
    def download_begun(self) -> bool:
        """Tell whether the download was clicked: the page then waits for its result in any case."""
        return bool(self.download and self.download.begun and not self.error)


class ApprovedPlan(NamedTuple):
    """A plan with an approval: the API Tokens page opens its last confirmation."""

    plan: Plan
    reason: str


class Errand(NamedTuple):
    """The people of a saved view, on their way to the API Tokens page.

    `places` are organizations and services, each with its number of people; `at` is the index of
    the open one.
    """

    view: SavedView
    places: tuple[PeopleOfPlace, ...]
    at: int = 0

    @property
    def open_place(self) -> PeopleOfPlace:
        """Return the organization and service whose people are selected."""
        return self.places[self.at]

    @property
    def left(self) -> tuple[PeopleOfPlace, ...]:
        """Return the organizations and services that come after the open one."""
        return self.places[self.at + 1 :]


@dataclass
class Place:
    """The organization and the service that the URL names; an empty id for none."""

    organization_id: str = ""
    service_id: str = ""


@dataclass
class PagerState:
    """The pages of a list that a person has opened so far.

    `page_starts` has the key of the row before each page; the first page has none.
    """

    made_from: tuple[Any, ...] = ()
    page_starts: list[str] = field(default_factory=list)


@dataclass
class Pagers:
    """The pagers of a page's lists, by the name of the list."""

    by_name: dict[str, PagerState] = field(default_factory=dict)


#: What survives a change between the views of one page, such as Activity's list and an operation.
_SURVIVES_VIEW = (Pagers,)


@dataclass
class Session:
    """One browser session. These fields, and nothing else, survive a change of page or place.

    A change of person clears all but the refusals when people sign in. In demo mode, where anyone
    can be anyone, it is a change of page.
    """

    username: str = ""
    #: Whose one-time secrets these are: the sign-in of an OIDC provider, else this session.
    holder: str = field(default_factory=lambda: token_hex(16), compare=False)
    #: The ids of exports whose receipt was closed with `Done`.
    closed_exports: set[str] = field(default_factory=set)
    #: The name that the proxy gave this person.
    proxy_name: str = ""
    place: Place = field(default_factory=Place)
    #: The place that was in the URL when it was last read or written.
    last_url: Place = field(default_factory=Place)
    #: Username, page, organization and service of the last run.
    last_page: tuple[str, ...] = ()
    #: The view of the open page: on Activity the open operation or person, empty for the list.
    view: str = ""
    #: The page (its file) and the query parameters that a callback wants opened; the frame does it.
    next_page: tuple[str, dict[str, str]] | None = None
    #: Refusals in the audit trail: each one is recorded once per browser session.
    recorded_refusals: set[tuple[str, ...]] = field(default_factory=set)
    #: Survives only when its download has begun: the result appears when the person comes back.
    open_confirmation: OpenConfirmation | None = None
    #: On its way from Activity to the API Tokens page.
    approved_plan: ApprovedPlan | None = None
    #: On its way from a saved view to the API Tokens page.
    errand: Errand | None = None
    #: The last of the numbers that make the keys of widgets new.
    last_number: int = 0
    #: The states of the features on the open page. They do not survive.
    page_states: dict[type, Any] = field(default_factory=dict)

    def reset_page(self) -> None:
        """Replace what belongs to a page, a person or a place, when one of them changes."""
        self.page_states, self.view = {}, ""
        if self.open_confirmation and not self.open_confirmation.download_begun:
            self.open_confirmation = None

    def open_view(self, view: str) -> None:
        """Open a view of the page. What another view had open is replaced."""
        if view != self.view:
            self.view = view
            self.page_states = {
                kind: state for kind, state in self.page_states.items() if kind in _SURVIVES_VIEW
            }


def session() -> Session:
    """Return the state of this browser session; the first call makes an empty one."""
    remembered = st.session_state.get(_KEY)
    if not isinstance(remembered, Session):
        remembered = st.session_state[_KEY] = Session()
    return remembered


def page_state(kind: type[_T]) -> _T:
    """Return a feature's state on the open page; the first call on a page makes an empty one.

    `kind` is the feature's dataclass, whose fields all have defaults.
    """
    states = session().page_states
    if kind not in states:
        states[kind] = kind()
    state: _T = states[kind]
    return state


def reset(kind: type[Any]) -> None:
    """Replace a feature's state on the open page by an empty one."""
    session().page_states.pop(kind, None)


def new_number() -> int:
    """Return a number that this session has not had, for a widget's key.

    Streamlit keeps the input of a widget by its key; a new key makes an empty widget.
    """
    session().last_number += 1
    return session().last_number


def has_person(state: Mapping[str, Any]) -> bool:
    """Tell whether a browser session has a signed-in person. `state` is its whole session state."""
    remembered = state.get(_KEY)
    return isinstance(remembered, Session) and bool(remembered.username)


def set_value(key: str, value: object) -> None:
    """Set the value of the widget `key`, before the widget is drawn or in a callback."""
    st.session_state[key] = value


def value(key: str, default: Any = None) -> Any:  # noqa: ANN401 - whatever the widget holds
    """Return the value of the widget `key`, also before it is drawn; `default` without one."""
    return st.session_state.get(key, default)
