"""The table of the bulk actions: their names, permissions, confirmations, sentences and help.

The Actions menu, the confirmations, Activity's filter, Help, and the table of roles are made from
it. What an action does to a token is in lib.domain.lifecycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lib.domain.roles import Permission
from lib.domain.states import Action


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """One bulk action. Texts with `|` have a form for one user and a form for several.

    `name_for_one` and `name_for_many` are the manual's names (ruling 1). `confirmations` counts the
    steps before it is executed (ruling 6). `does` and `did` complete a sentence that begins with a
    number of users. `ends` says what happens to accepted tokens; it is empty for an action that
    ends none. `afterwards` is a whole sentence, in which `{users}` is the number of users; it may
    be empty. `whom` is the heading of the users whom it changes. `deed` is the label of the button
    that executes an action with one confirmation. `permission_label` names the permission in the
    table of roles. `wish` completes `I want to …`, and `help` says what the action does.
    """

    name_for_one: str
    name_for_many: str
    permission: Permission
    confirmations: Literal[1, 2]
    does: str
    did: str
    whom: str
    permission_label: str
    wish: str
    help: str
    ends: str = ""
    afterwards: str = ""
    deed: str = ""


ACTIONS: Mapping[Action, ActionEntry] = MappingProxyType({
    Action.REQUEST: ActionEntry(
        name_for_one="Request New API Token",
        name_for_many="Add New Tokens",
        permission=Permission.REQUEST,
        confirmations=1,
        does="is asked to accept a new token|are asked to accept a new token",
        did="new token requested|new tokens requested",
        whom="Who is asked",
        deed="Request {users} token|Request {users} tokens",
        afterwards="Nothing is sent: each user finds the request under My API tokens and shows "
        "Pending until they accept; a token they have keeps working",
        permission_label="Request new API tokens",
        wish="request a new API token",
        help="Each user is asked to accept it under My API tokens, and sees it there once. A token "
        "that they have works until then.",
    ),
    Action.REMOVE: ActionEntry(
        name_for_one="Remove API Token",
        name_for_many="Remove Tokens",
        permission=Permission.REMOVE,
        confirmations=1,
        does="loses the accepted token|lose the accepted token",
        did="token removed|tokens removed",
        whom="Who loses the token",
        deed="Remove {users} token|Remove {users} tokens",
        ends="token is removed|tokens are removed",
        permission_label="Remove API tokens",
        wish="remove an API token",
        help="Removed tokens stop working at once; what is Pending stays.",
    ),
    Action.CANCEL: ActionEntry(
        name_for_one="Cancel Pending Request",
        name_for_many="Cancel Pending Requests",
        permission=Permission.CANCEL,
        confirmations=1,
        does="has the pending request ended|have the pending request ended",
        did="pending request cancelled|pending requests cancelled",
        whom="Whose request ends",
        deed="Cancel {users} request|Cancel {users} requests",
        permission_label="Cancel pending requests",
        wish="cancel a pending request",
        help="Accepted tokens stay.",
    ),
    Action.GENERATE: ActionEntry(
        name_for_one="Generate & Export Token",
        name_for_many="Generate & Export Tokens",
        permission=Permission.GENERATE,
        confirmations=2,
        does="gets a new token|get a new token",
        did="token generated and exported|tokens generated and exported",
        whom="Who gets a new token",
        ends="token is replaced|tokens are replaced",
        afterwards="The user shows Pending until the new token is first used"
        "|Each of the {users} users shows Pending until the new token is first used",
        permission_label="Generate & export tokens",
        wish="generate tokens and see them",
        help="Every existing token of these users is replaced: at once, or, as the first "
        "confirmation offers, when the new token is first used. So it is confirmed twice. The new "
        "tokens come as a CSV, the only place where they can be read.",
    ),
})  # fmt: skip


def action_name(action: Action, users: int) -> str:
    """Return the menu's name of `action` for this number of selected users (ruling 1)."""
    entry = ACTIONS[action]
    return entry.name_for_one if users == 1 else entry.name_for_many
