"""Tables of words: names of states, filters, roles, permissions and types."""

from lib.domain.access import Actor
from lib.domain.actions import ACTIONS
from lib.domain.roles import Permission, Role
from lib.domain.states import ExistingTokens, Holding, OrganizationType, Status

#: Pending is a request, or an exported token: it works already, and nobody has used it yet.
PENDING_ENDS = "pending request or exported token ends|pending requests or exported tokens end"

#: Existing tokens keep working (ruling 3).
SECOND_TOKENS = (
    "gets a second token; the one in use works until the new one is used"
    "|get a second token; the one in use works until the new one is used"
)

EXISTING_TOKENS = {
    ExistingTokens.STOP: "Stop working at once",
    ExistingTokens.KEEP: "Keep working until the new token is first used",
}

#: The sentence of a receipt (ruling 3).
KEPT_TOKENS = "Existing tokens keep working until the new token is first used."

HOLDINGS = {
    Holding.NOTHING: "no token",
    Holding.PENDING: "Pending",
    Holding.ACCEPTED: "✓",
    Holding.BOTH: "✓ and Pending",
}

FILTERS = {
    "any": "Any",
    "accepted": "✓ accepted",
    "pending": "Pending",
    "both": "✓ and Pending",
    "old-and-new": "Old and new both live",
    "none": "None",
    "unused": "Never used",
    "expires7": "Expires within 7 days",
    "expires30": "Expires within 30 days",
    "expires60": "Expires within 60 days",
    "expired": "Expired",
}

ROLES = {
    Role.ADMINISTRATOR: "API administrator",
    Role.SUPPORT: "Support",
    Role.ANALYST: "Analyst",
}

EVERYWHERE = "all organizations"
PERMISSION_WORDS = {
    Permission.READ: "See organizations, their users and who has a token",
    Permission.COVERAGE: "See token coverage",
    Permission.ACTIVITY: "See activity: who did what, and on whom",
    Permission.EXPORT: "Download coverage and activity as CSV, without secrets",
    **{entry.permission: entry.permission_label for entry in ACTIONS.values()},
    Permission.OFF_BOARD: "End all tokens and requests of one person (off-boarding)",
    Permission.APPROVE: "Approve what another API administrator asks for (four eyes)",
    Permission.RECALL: "Recall leaked tokens",
    Permission.POLICY: "Set how long tokens live",
    Permission.ACCESS: "Grant and revoke roles",
}

STATUS = {Status.ACTIVE: "Active", Status.INACTIVE: "Inactive", Status.PENDING: "Pending"}
STATUS_ICONS = {
    Status.ACTIVE: ":material/check_circle:",
    Status.INACTIVE: ":material/block:",
    Status.PENDING: ":material/schedule:",
}
TYPES = {OrganizationType.RECIPIENT: "Recipient", OrganizationType.SUBMITTER: "Submitter"}
#: Material names.
TYPE_ICONS = {
    OrganizationType.RECIPIENT: "account_balance",
    OrganizationType.SUBMITTER: "work",
}


def role_names(actor: Actor) -> str:
    """Return the names of a person's roles: `API administrator`, `Support, Analyst`, or `User`."""
    held = {grant.role for grant in actor.grants}
    return ", ".join(ROLES[role] for role in Role if role in held) or "User"
