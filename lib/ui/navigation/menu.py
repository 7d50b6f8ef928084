"""The menu: each level of the manual has its own items, and the open page is marked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st
from streamlit import Page

from lib.domain.access import Actor
from lib.domain.directory import Service
from lib.domain.roles import Permission
from lib.streamlit_internals.pages import open_instead, requested_page
from lib.ui.navigation import activity_links, scope
from lib.ui.navigation.page_registry import (
    ACTIVITY,
    ACTIVITY_LIST,
    CONTACT,
    LICENSE,
    NOTIFICATIONS,
    ORGANIZATION_PAGES,
    ORGANIZATIONS,
    SERVICE_PREFIX,
    SERVICES,
    TOKENS,
    TOP_PAGES,
    UNLISTED_PAGES,
    PageEntry,
)
from lib.ui.session import session
from lib.wording.formats import plain

_ROOT = ""  # Streamlit gives the default page this url path, whatever we set


def declare(services: Sequence[Service] = ()) -> dict[str, Page]:
    """Return all pages by their url path, hidden in the menu, so that deep links work."""
    pages = {
        item.url_path: _page(item, hidden=True)
        for item in (*TOP_PAGES, *UNLISTED_PAGES, *ORGANIZATION_PAGES)
    }
    return (
        {_ROOT: _root(hidden=True)}
        | pages
        | {f"{SERVICE_PREFIX}{s.service_id}": _service_page(s, hidden=True) for s in services}
    )


def declare_hidden() -> None:
    """Declare all pages without a menu, for a visitor who is not signed in."""
    st.navigation(list(declare().values()), position="hidden")


def open_page(pages: Mapping[str, Page]) -> str:
    """Return the url path of the page to open.

    It is the requested one; for a service's page it is the license of that service.
    """
    requested = requested_page(pages.values()).url_path
    if not requested.startswith(SERVICE_PREFIX):
        return requested
    scope.set_scope(session().place.organization_id, requested.removeprefix(SERVICE_PREFIX))
    open_instead(pages[LICENSE.url_path])
    return LICENSE.url_path


def sections(
    actor: Actor, url_path: str, services: Sequence[Service], pages: Mapping[str, Page]
) -> dict[str, list[Page]]:
    """Return the menu at `url_path`, by section: the items of its level, other `pages` hidden."""
    if is_below(actor, url_path):
        heading, back, shown = _level(actor, url_path, services)
        menu = {"": [back], heading: shown}
    else:
        mine = [i for i in TOP_PAGES if i.permission is None or actor.may_somewhere(i.permission)]
        menu = {"": [_top_page(item, url_path) for item in mine]}
    visible = {page.url_path for pages in menu.values() for page in pages}
    hidden = [page for page in pages.values() if page.url_path not in visible]
    menu[""] = [*menu[""], *hidden]
    return menu


def is_below(actor: Actor, url_path: str) -> bool:
    """Tell whether `url_path` is a page of an organization that `actor` may open."""
    below = url_path in {item.url_path for item in ORGANIZATION_PAGES}
    return below and actor.may_somewhere(Permission.READ)


def _top_page(item: PageEntry, url_path: str) -> Page:
    """Return a menu item of the top level. Organizations and Activity have two pages each."""
    if item is ORGANIZATIONS and url_path == _ROOT:
        return _root()
    return _page(_activity(url_path) if item is ACTIVITY else item)


def _activity(url_path: str) -> PageEntry:
    """Return the item Activity: the open page if it shows the list, else the other address."""
    at_list = url_path == ACTIVITY_LIST.url_path
    here, there = (ACTIVITY_LIST, ACTIVITY) if at_list else (ACTIVITY, ACTIVITY_LIST)
    return here if activity_links.is_list_open() or url_path != here.url_path else there


def _level(
    actor: Actor, url_path: str, services: Sequence[Service]
) -> tuple[str, Page, list[Page]]:
    """Return the heading, the item `Back to` and the items of a level below Organizations."""
    place = session().place
    found = scope.find_organization(actor, place.organization_id)
    heading = plain(found[0].name) if found else "No organization"
    names = {service.service_id: service.name for service in services}
    service = names.get(place.service_id, "License")
    if url_path == CONTACT.url_path:
        return heading, _back(ORGANIZATIONS), [_page(CONTACT), _page(SERVICES)]
    if url_path == SERVICES.url_path:
        subscribed = {s.service_id for s in found[1]} if found else set()
        own = [_service_page(s) for s in services if s.service_id in subscribed]
        return heading, _back(CONTACT), [_page(SERVICES), *own]
    if url_path == LICENSE.url_path:
        return heading, _back(SERVICES), [_page(LICENSE), _page(NOTIFICATIONS)]
    return heading, _back(LICENSE, service), [_page(NOTIFICATIONS), _page(TOKENS)]


def _page(
    item: PageEntry, *, title: str = "", icon: str = "", hidden: bool = False, default: bool = False
) -> Page:
    return st.Page(
        item.file,
        title=title or item.title,
        icon=f":material/{icon or item.icon}:",
        url_path=item.url_path,
        default=default,
        visibility="hidden" if hidden else "visible",
    )


def _root(*, hidden: bool = False) -> Page:
    """Return the default page: Organizations at the address `/`.

    It does not redirect to `/organizations`: the browser's Back would always land there again.
    """
    return _page(replace(ORGANIZATIONS, url_path="root"), hidden=hidden, default=True)


def _back(item: PageEntry, title: str = "") -> Page:
    return _page(item, title=f"Back to {plain(title or item.title)}", icon="arrow_back")


def _service_page(service: Service, *, hidden: bool = False) -> Page:
    """Return the menu item of a service; `open_page` opens its license instead."""
    return st.Page(
        _draw_nothing,
        title=plain(service.name),
        icon=":material/widgets:",
        url_path=f"{SERVICE_PREFIX}{service.service_id}",
        visibility="hidden" if hidden else "visible",
    )


def _draw_nothing() -> None:
    """Do nothing: Streamlit needs a function for a page, and a service's page is never drawn."""
