"""The current user, and what they may open. Each page checks it; operations check it again."""

import logging
from typing import NoReturn

import streamlit as st

from lib.domain.access import Actor
from lib.domain.roles import PERMISSIONS, Permission, Role
from lib.operations import directory, sign_in_sessions
from lib.ui.app_context import app_context
from lib.ui.auth import sign_in
from lib.ui.auth.sign_in_pages import DeclarePages
from lib.ui.navigation import links
from lib.ui.navigation.page_registry import MY_TOKENS
from lib.ui.session import session
from lib.wording.formats import plain
from lib.wording.labels import role_names

_log = logging.getLogger(__name__)
ANONYMOUS = Actor("", "")
_STAFF_TO_PICK = 5
_PEOPLE_TO_PICK = 6
_PLURALS = {
    Role.ADMINISTRATOR: "API administrators",
    Role.SUPPORT: "Support",
    Role.ANALYST: "Analysts",
}


def require_sign_in(declare: DeclarePages) -> Actor:
    """Return who is signed in. Anyone else gets the sign-in page, and the run ends.

    `declare` declares the pages without reading the database; only the sign-in page calls it.
    """
    if app_context().settings.sign_in == "oidc":
        return sign_in.sign_in_with_oidc(declare)
    if app_context().settings.sign_in == "proxy":
        return sign_in.sign_in_with_proxy(declare)
    return _demo_user()


def current_user() -> Actor:
    """Return who is signed in, with the roles of this moment; ANONYMOUS after the sign-in ended.

    A callback runs before the frame checks the sign-in, so this function checks it too.
    """
    return _signed_in_user() if sign_in.is_signed_in() else ANONYMOUS


def _signed_in_user() -> Actor:
    """Return the person whom the frame accepted at the start of this run."""
    person = directory.find_actor(app_context().engine, session().username)
    return person._replace(address=sign_in.client_address()) if person else ANONYMOUS


def require_permission(permission: Permission) -> Actor:
    """Return the signed-in person, who has `permission` in at least one organization.

    Anyone else gets a message instead of the page, and the run ends. The refusal is recorded once
    per browser session and page.
    """
    person = _signed_in_user()
    if not person.may_somewhere(permission):
        record_refusal(person, permission)
        st.info(f"This page is for {_allowed_roles(permission)}.", icon=":material/lock:")
        links.page_link(MY_TOKENS, label="Go to My API tokens")
        st.stop()
    return person


def record_refusal(actor: Actor, permission: Permission, organization_id: str = "") -> None:
    """Record that a page was refused, once per browser session, person and page."""
    refusal = (actor.username, permission.value, organization_id[:60])
    if refusal not in session().recorded_refusals:
        session().recorded_refusals.add(refusal)
        sign_in_sessions.record_page_refusal(
            app_context().unit_of_work, actor, permission, refusal[2]
        )


def _allowed_roles(permission: Permission) -> str:
    """Return the roles with a permission, as `API administrators, Support and Analysts`."""
    *others, last = [_PLURALS[role] for role in Role if permission in PERMISSIONS[role]]
    return f"{', '.join(others)} and {last}" if others else last


def _demo_user() -> Actor:
    """Draw the demo's `Signed in as`, and return the chosen person; end the run if unknown."""
    engine = app_context().engine
    names = {p.username: p for p in directory.personas(engine, _STAFF_TO_PICK, _PEOPLE_TO_PICK)}
    with st.sidebar:
        username = st.selectbox(
            "Signed in as",
            list(names),
            key="signed_in_as",
            format_func=lambda name: names[name].name if name in names else name,
            accept_new_options=True,
            persist_state="session",
            placeholder="Nobody yet",
            help="Demo mode: be anyone. Pick a person, or type a username.",
        )
        person = directory.find_actor(engine, str(username or ""))
        if person:
            st.caption(role_names(person))
        st.badge("Demo mode", icon=":material/science:", color="gray")
    if person is None:
        _no_user_page(username)
    session().username = person.username
    return person._replace(address=sign_in.client_address())


def _no_user_page(username: str | None) -> NoReturn:
    if username:
        st.warning(
            f"There is no user {plain(username)}. Pick a person under “Signed in as”.",
            icon=":material/person_off:",
        )
    else:
        st.info(
            "There is nobody to sign in as. Import users first, and name one of them in "
            "TOKEN_DESK_ADMINS: that is the first API administrator (README, “Use your own "
            "directory”).",
            icon=":material/person_add:",
        )
    st.stop()
