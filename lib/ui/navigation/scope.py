"""The open place: organization and service, kept in the URL as `?org=…&service=…`."""

from typing import NamedTuple, NoReturn

import streamlit as st

from lib.domain.access import Actor
from lib.domain.directory import Organization, Subscription
from lib.domain.errors import NotAllowedError
from lib.domain.roles import Permission
from lib.domain.search import possible_name
from lib.operations import directory
from lib.streamlit_internals.server import is_reconnected
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.navigation import links
from lib.ui.navigation.page_registry import ORGANIZATIONS, SERVICES
from lib.ui.session import Place, session
from lib.wording.formats import plain


class OpenScope(NamedTuple):
    """The actor and the open organization; `subscription` is that of the open service, if any."""

    actor: Actor
    organization: Organization
    subscriptions: list[Subscription]
    subscription: Subscription | None


def read_url() -> None:
    """Set the place from the URL, if the URL changed since the last run.

    Doing it on each run would undo a choice that was just made in a selectbox.
    """
    remembered = session()
    url = Place(st.query_params.get("org", ""), st.query_params.get("service", ""))
    if url in (Place(), remembered.last_url):
        return
    remembered.last_url = url
    remembered.place = Place(
        url.organization_id or remembered.place.organization_id, url.service_id
    )


def write_url() -> None:
    """Write the place into the URL, because the menu's own links drop the query string."""
    place = session().place
    wanted = {"org": place.organization_id} if place.organization_id else {}
    if place.service_id:
        wanted["service"] = place.service_id
    if wanted != st.query_params.to_dict():
        st.query_params.from_dict(wanted)
    session().last_url = Place(wanted.get("org", ""), wanted.get("service", ""))


def reset_on_navigation(url_path: str) -> None:
    """If page, person or place changed, reset the page: selection and confirmations.

    One-time secrets are dropped only when the person changed.
    """
    remembered = session()
    place = remembered.place
    current_page = (remembered.username, url_path, place.organization_id, place.service_id)
    if remembered.last_page and current_page != remembered.last_page:
        if current_page[0] != remembered.last_page[0]:
            app_context().one_time_secrets.drop_holder(remembered.holder)
        remembered.reset_page()
    remembered.last_page = current_page


def say_if_session_is_new() -> None:
    """Say so when the open page has lost its session: nothing else would tell."""
    if not session().last_page and is_reconnected():
        st.info(
            "This page was away for more than ten minutes, or the server was restarted: what was "
            "selected and not confirmed is gone. Nothing else has changed.",
            icon=":material/info:",
        )


def set_scope(organization_id: str, service_id: str) -> None:
    """Set the place; the frame writes it into the URL."""
    session().place = Place(organization_id, service_id)


def query_params(organization_id: str, service_id: str = "") -> dict[str, str]:
    """Return the query parameters of a link to a place: `org`, and `service` unless empty."""
    place = {"org": organization_id}
    return place | {"service": service_id} if service_id else place


def find_organization(
    actor: Actor, organization_id: str
) -> tuple[Organization, list[Subscription]] | None:
    """Return an organization with its subscriptions; None if unknown, or not the actor's.

    The page does not tell these two apart. The audit trail does: the refusal is recorded, once per
    browser session.
    """
    if not possible_name(organization_id):
        return None
    try:
        return directory.open_organization(app_context().engine, actor, organization_id)
    except NotAllowedError:
        permissions.record_refusal(actor, Permission.READ, organization_id)
        return None


def require_organization() -> OpenScope:
    """Return the open organization. Without one, draw a message with a link, and end the run."""
    actor = permissions.require_permission(Permission.READ)
    place = session().place
    found = find_organization(actor, place.organization_id)
    if found is None:
        name = plain(place.organization_id[:60])
        _not_found(f"There is no organization {name}." if name else "No organization is open.")
    subscribed = {s.service_id: s for s in found[1]}
    return OpenScope(actor, found[0], found[1], subscribed.get(place.service_id))


def require_subscription() -> tuple[OpenScope, Subscription]:
    """Return the open place and its subscription.

    Without a service in the URL it is the first subscription. Without a subscription, draw a
    message with a link, and end the run.
    """
    here = require_organization()
    if not session().place.service_id and here.subscriptions:
        first = here.subscriptions[0]
        set_scope(first.organization_id, first.service_id)
        write_url()
        return here, first
    if here.subscription is None:
        wanted = plain(session().place.service_id[:60])
        st.warning(
            f"{plain(here.organization.name)} does not subscribe to {wanted or 'any service'}.",
            icon=":material/block:",
        )
        links.page_link(
            SERVICES,
            query_params(here.organization.organization_id),
            label="See what it subscribes to",
        )
        st.stop()
    return here, here.subscription


def _not_found(sentence: str) -> NoReturn:
    st.warning(sentence, icon=":material/search_off:")
    links.page_link(ORGANIZATIONS, label="Choose an organization")
    st.stop()
