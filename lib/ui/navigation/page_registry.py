"""Every page with its address: the source of the menu, the links and the security middleware.

It imports neither Streamlit nor the pages, because the server reads it before it starts.
"""

import re
from dataclasses import dataclass, replace

from lib.domain.ids import SERVICE_ID
from lib.domain.roles import Permission


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page: file, title, Material icon, url path, and the permission it needs (None: none)."""

    file: str
    title: str
    icon: str
    url_path: str
    permission: Permission | None = Permission.READ


ORGANIZATIONS = PageEntry("organizations.py", "Organizations", "apartment", "organizations")
USERS = PageEntry("users.py", "Users", "group", "users")
# One user. It is a page of its own, so that links to it are real links, and the menu leads back.
PERSON = PageEntry("person.py", "User", "person", "person")
COVERAGE = PageEntry("coverage.py", "Token coverage", "grid_on", "coverage", Permission.COVERAGE)
# A list of people: a saved view, at an address of its own. Its menu item is Token coverage.
COVERAGE_USERS = PageEntry(
    "coverage_users.py", "Token coverage", "grid_on", "coverage-users", Permission.COVERAGE
)
ACTIVITY = PageEntry("activity.py", "Activity", "history", "activity", Permission.ACTIVITY)
# The same page at a second address, for the way back from an operation or a person to the list:
# Streamlit keeps the query string when the menu item is that of the open page.
ACTIVITY_LIST = replace(ACTIVITY, url_path="activity-list")
RECALL = PageEntry("recall.py", "Recall", "block", "recall", Permission.RECALL)
ACCESS = PageEntry("access.py", "Access", "admin_panel_settings", "access", Permission.ACCESS)
MY_TOKENS = PageEntry("my_api_tokens.py", "My API tokens", "key", "my-api-tokens", None)
HELP = PageEntry("help.py", "Help", "help", "help", None)
CONTACT = PageEntry("contact.py", "Contact", "contact_mail", "contact")
SERVICES = PageEntry("services.py", "Services", "apps", "services")
LICENSE = PageEntry("license.py", "License", "badge", "license")
NOTIFICATIONS = PageEntry("notifications.py", "Notifications", "notifications", "notifications")
TOKENS = PageEntry("api_tokens.py", "API 2.0 Tokens", "vpn_key", "api-tokens")

TOP_PAGES = (ORGANIZATIONS, USERS, COVERAGE, ACTIVITY, RECALL, ACCESS, MY_TOKENS, HELP)
ORGANIZATION_PAGES = (CONTACT, SERVICES, LICENSE, NOTIFICATIONS, TOKENS)
#: Pages that no menu has.
UNLISTED_PAGES = (ACTIVITY_LIST, PERSON, COVERAGE_USERS)

#: Each service has a menu item with its own url path, which opens its license:
#: `service-erecording`.
SERVICE_PREFIX = "service-"
_SERVICE_PAGE = re.compile(f"/{SERVICE_PREFIX}{SERVICE_ID}")
_PAGES = frozenset(
    {"/", *(f"/{i.url_path}" for i in (*TOP_PAGES, *UNLISTED_PAGES, *ORGANIZATION_PAGES))}
)


def is_page(path: str) -> bool:
    """Tell whether `path` is the address of a page: `/`, a page of the registry, or a service's.

    Every legal id of a service counts, known or not: the middleware does not read the database.
    """
    return path in _PAGES or _SERVICE_PAGE.fullmatch(path) is not None
