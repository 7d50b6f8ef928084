"""Every page with its address: the menu, the links and the gate read the same list.

It imports neither Streamlit nor the pages, so that the server can read it before it begins.
"""

import re
from dataclasses import dataclass, replace

from lib.domain.ids import SERVICE_ID
from lib.domain.roles import Permission


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page of the menu: file, title, icon, address, and what opens it (None: anybody)."""

    file: str
    title: str
    icon: str
    url_path: str
    permission: Permission | None = Permission.READ


ORGANIZATIONS = PageEntry("organizations.py", "Organizations", "apartment", "organizations")
COVERAGE = PageEntry("coverage.py", "Token coverage", "grid_on", "coverage", Permission.COVERAGE)
ACTIVITY = PageEntry("activity.py", "Activity", "history", "activity", Permission.ACTIVITY)
# The same page at a second address: the menu leads from an operation or a person back to the list,
# and Streamlit keeps the query string where an item is that of the page one is on.
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

TOP_PAGES = (ORGANIZATIONS, COVERAGE, ACTIVITY, RECALL, ACCESS, MY_TOKENS, HELP)
ORGANIZATION_PAGES = (CONTACT, SERVICES, LICENSE, NOTIFICATIONS, TOKENS)

#: A service has a page of its own, which leads on to its license: `service-erecording`.
SERVICE_PREFIX = "service-"
_SERVICE_PAGE = re.compile(f"/{SERVICE_PREFIX}{SERVICE_ID}")
_PAGES = frozenset(
    {"/", *(f"/{item.url_path}" for item in (*TOP_PAGES, ACTIVITY_LIST, *ORGANIZATION_PAGES))}
)


def is_page(path: str) -> bool:
    """Tell whether `path` is a page's address: `/`, a page of the list, or a service's page.

    A service's page counts for every legal id, known or not: the gate reads no database.
    """
    return path in _PAGES or _SERVICE_PAGE.fullmatch(path) is not None
