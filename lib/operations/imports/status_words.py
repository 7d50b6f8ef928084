"""The words with which identity providers say whether a user is active.

| provider | where it writes the word | words |
|---|---|---|
| Microsoft Entra ID | `accountEnabled`, in "Bulk download users" | True, False |
| Google Workspace | `Status [READ ONLY]`, in "Download users" | Active, Suspended |
| Okta | `status` of the user object | ACTIVE, PROVISIONED, STAGED, SUSPENDED, DEPROVISIONED … |
| Keycloak | `enabled` of the UserRepresentation | true, false |

Words that are not here are refused: Okta's LOCKED_OUT, PASSWORD_EXPIRED and RECOVERY say that
somebody cannot sign in now, not that they left; Google's Archived is left to the administrator.
Sources: learn.microsoft.com/entra/identity/users/users-bulk-download, Google's Admin help on
downloading users, developer.okta.com (UserStatus), keycloak.org (Admin REST API).
"""

from collections.abc import Mapping
from types import MappingProxyType

from lib.domain.states import Status

_WORDS = {
    Status.ACTIVE: ("active", "true", "enabled", "provisioned"),
    Status.INACTIVE: ("inactive", "false", "disabled", "suspended", "deprovisioned", "staged"),
    Status.PENDING: ("pending",),
}
#: What each word means, in lower case.
STATUS_WORDS: Mapping[str, str] = MappingProxyType(
    {word: status.value for status, words in _WORDS.items() for word in words}
)
