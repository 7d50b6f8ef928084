"""The saved views of Token coverage: lists of people, each with an address of its own.

The five worries list people over all organizations, and only those whom coverage counts
(lib.domain.coverage); the last one lists exactly those whom it does not count. The other views list
the counted people of one organization and service, by what they have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.states import Action


class View(StrEnum):
    """A saved view: the value of `view` in its address."""

    PENDING = "pending"
    NEVER_USED = "never-used"
    UNUSED = "unused"
    EXPIRING = "expiring"
    INACTIVE = "inactive"
    USERS = "users"
    HAVE = "have-a-token"
    WAIT = "only-pending"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class ViewEntry:
    """A view: its names, in which `{days}` is a number of days, and the actions that help.

    `days` are the numbers that can be chosen; empty when there is nothing to choose. `default` is
    the number of an address without one. `since` is the heading of the moment that put somebody on
    the list. `actions` are listed in the order of their use.
    """

    label: str
    title: str
    since: str
    actions: tuple[Action, ...] = ()
    days: tuple[int, ...] = ()
    default: int = 0


VIEWS: Mapping[View, ViewEntry] = MappingProxyType(
    {
        View.PENDING: ViewEntry(
            "Pending over {days} days",
            "Pending for more than {days} days",
            "Pending since",
            (Action.CANCEL, Action.REQUEST),
            (7,),
            7,
        ),
        View.NEVER_USED: ViewEntry(
            "Never used",
            "Never used, {days} days after it was accepted or exported",
            "Since",
            (Action.REMOVE, Action.CANCEL),
            (7,),
            7,
        ),
        View.UNUSED: ViewEntry(
            "Unused for {days} days",
            "Not used for {days} days; younger tokens are left out",
            "Last used",
            (Action.REMOVE, Action.CANCEL),
            (30, 60, 90, 180),
            90,
        ),
        View.EXPIRING: ViewEntry(
            "Expire in {days} days",
            "Expires within {days} days",
            "Expires",
            (Action.REQUEST, Action.GENERATE),
            (7, 30, 60),
            30,
        ),
        View.INACTIVE: ViewEntry(
            "Live but inactive",
            "Live tokens of inactive users, organizations or subscriptions",
            "Since",
            (Action.REMOVE, Action.CANCEL),
        ),
        View.USERS: ViewEntry("All users", "Users whom coverage counts", "Since"),
        View.HAVE: ViewEntry("✓ accepted", "Have a token", "Since"),
        View.WAIT: ViewEntry("Pending", "Pending, without a token", "Since", (Action.CANCEL,)),
        View.NEITHER: ViewEntry(
            "Neither", "Neither a token nor Pending", "Since", (Action.REQUEST,)
        ),
    }
)
#: The views over all organizations, in the order of the page.
WORRIES = (View.PENDING, View.NEVER_USED, View.UNUSED, View.EXPIRING, View.INACTIVE)
#: The views of one organization and service.
OF_PLACE = (View.USERS, View.HAVE, View.WAIT, View.NEITHER)


class SavedView(NamedTuple):
    """A view with its days (0: none to choose), within one organization or service if not empty."""

    view: View
    days: int = 0
    organization_id: str = ""
    service_id: str = ""

    @property
    def label(self) -> str:
        """Return the short name."""
        return VIEWS[self.view].label.format(days=self.days)

    @property
    def title(self) -> str:
        """Return what the people of the view have in common."""
        return VIEWS[self.view].title.format(days=self.days)

    @property
    def parameters(self) -> dict[str, str]:
        """Return the query parameters of its address."""
        return {
            name: value
            for name, value in (
                ("view", self.view.value),
                ("days", str(self.days or "")),
                ("org", self.organization_id),
                ("service", self.service_id),
            )
            if value
        }


def default_view(view: View) -> SavedView:
    """Return a view with its default days."""
    return SavedView(view, VIEWS[view].default)


def parse_view(parameters: Mapping[str, str]) -> SavedView | None:
    """Return the view of an address; None when there is no such view, or not with these days.

    A view of one organization and service needs both.
    """
    word, days = parameters.get("view", ""), parameters.get("days", "")
    place = (parameters.get("org", ""), parameters.get("service", ""))
    if word not in set(View):
        return None
    view = View(word)
    entry = VIEWS[view]
    offered = {str(number): number for number in entry.days} | {"": entry.default}
    if days not in offered or (view in OF_PLACE and not all(place)):
        return None
    return SavedView(view, offered[days], *place)


class PeopleOfPlace(NamedTuple):
    """How many people of a view one organization and service has."""

    organization_id: str
    organization_name: str
    service_id: str
    service_name: str
    people: int


class ListedPerson(NamedTuple):
    """A person of a view: what they have for the service, and since when (ViewEntry.since)."""

    member_id: str
    name: str
    username: str
    accepted: bool
    pending: bool
    since: Moment | None
