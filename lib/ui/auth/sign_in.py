"""Authentication: an OIDC provider or a trusted proxy must identify every visitor.

OIDC goes through Streamlit's own sign-in. The proxy runs on this machine and names the person in a
header. Demo mode has no authentication.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, NoReturn

import streamlit as st

from lib.domain import errors
from lib.domain.access import Actor
from lib.domain.clock import MINUTE
from lib.domain.errors import SignInRefusedError
from lib.domain.roles import Permission
from lib.domain.states import SessionStatus
from lib.operations import directory, proxy_sign_in, sign_in_sessions
from lib.operations.sign_in_sessions import LoginClaims, SessionLimits
from lib.settings import Settings
from lib.ui.app_context import app_context
from lib.ui.auth import sign_in_pages
from lib.ui.auth.sign_in_pages import DeclarePages
from lib.ui.session import session
from lib.wording.formats import plain
from lib.wording.labels import role_names
from lib.wording.sign_in import end_reason, no_name_text, refusal_text

_HOUR = 60 * MINUTE


def session_limits(settings: Settings) -> SessionLimits:
    """Return how long a sign-in lasts, idle and in all, in milliseconds."""
    return SessionLimits(settings.idle_minutes * MINUTE, settings.session_hours * _HOUR)


def client_address() -> str:
    """Return the IP address of the browser; empty when it is this machine, or unknown.

    The server reads it from a proxy's `X-Forwarded-For` only when that proxy is on this machine.
    """
    address = st.context.ip_address
    return _parsed_address(address) if isinstance(address, str) else ""


def _parsed_address(text: str) -> str:
    try:
        # Without the zone of an IPv6 address (`%eth0`), which is any text.
        return str(ip_address(text)).partition("%")[0]
    except ValueError:  # a program on this machine can write any text into that header
        return ""


def sign_in_with_oidc(declare: DeclarePages) -> Actor:
    """Return who signed in with OIDC. Anyone else gets a page that says so, and the run ends."""
    if not st.user.is_logged_in:
        _clear_session()
        sign_in_pages.render_sign_in(declare, "")
    login = LoginClaims(st.user.to_dict(), client_address())
    settings = app_context().settings
    try:
        actor = sign_in_sessions.resume(
            app_context().unit_of_work, session_limits(settings), settings.user_claim, login
        )
    except (errors.SignedOutError, errors.SessionTimedOutError) as refusal:
        _clear_session()
        reason = end_reason(refusal, settings.idle_minutes, settings.session_hours)
        sign_in_pages.render_sign_in(declare, reason)
    except SignInRefusedError as refusal:
        _clear_session()
        heading, text = refusal_text(refusal, f"the claim {settings.user_claim}")
        if sign_in_pages.render_refusal(declare, heading, text, can_change=True):
            _sign_out(login)
        st.stop()
    _switch_user(actor)
    session().holder = login.sign_in_id
    _user_badge(actor)
    if st.sidebar.button("Sign out", icon=":material/logout:", type="tertiary", key="sign_out"):
        _sign_out(login)
    return actor


def is_signed_in() -> bool:
    """Tell whether the OIDC sign-in of this browser session is active; with a proxy, yes."""
    settings = app_context().settings
    if settings.sign_in != "oidc":
        return True
    return (
        session_status(st.user.to_dict() if st.user.is_logged_in else None, [])
        is SessionStatus.ACTIVE
    )


def session_status(claims: Mapping[str, Any] | None, names: list[str]) -> SessionStatus:
    """Return the status of a sign-in, from the cookie's claims or the proxy's header values.

    The server's own routes use it: no page guards them. In demo mode it is always ACTIVE. Raises
    DatabaseUnavailableError.
    """
    settings = app_context().settings
    if settings.demo_mode:
        return SessionStatus.ACTIVE
    if settings.sign_in == "proxy":
        return SessionStatus.ACTIVE if _found_by_proxy(names) else SessionStatus.NONE
    if not claims:
        return SessionStatus.NONE
    return sign_in_sessions.session_status(
        app_context().unit_of_work, session_limits(settings), LoginClaims(claims, "").sign_in_id
    )


def download_owner(claims: Mapping[str, Any] | None, names: list[str]) -> str:
    """Return the owner of a browser's downloads: a username of the directory; empty for nobody.

    The owner is the person, not the sign-in: another tab can replace the sign-in. In
    demo mode all downloads have one owner, because anyone can be anyone. Raises
    DatabaseUnavailableError.
    """
    if app_context().settings.demo_mode:
        return "demo"
    person = _person(claims, names)
    return person.username if person else ""


def end_sign_in(claims: Mapping[str, Any], address: str) -> None:
    """End a sign-in for all copies of its cookie, and drop its one-time secrets.

    Raises DatabaseUnavailableError.
    """
    login = LoginClaims(claims, _parsed_address(address))
    app_context().one_time_secrets.drop_holder(login.sign_in_id)
    sign_in_sessions.sign_out(app_context().unit_of_work, login)


def may_upload(claims: Mapping[str, Any] | None, names: list[str]) -> bool:
    """Tell whether a person may drop a file on Recall; in demo mode, yes for everybody."""
    if app_context().settings.demo_mode:
        return True
    person = _person(claims, names)
    return person is not None and person.may_somewhere(Permission.RECALL)


def _person(claims: Mapping[str, Any] | None, names: list[str]) -> Actor | None:
    """Return who is signed in, or whom the proxy names, if they are active in the directory."""
    settings = app_context().settings
    if settings.sign_in == "proxy":
        return _found_by_proxy(names)
    sign_in_id = LoginClaims(claims or {}, "").sign_in_id
    username = sign_in_sessions.username_of(
        app_context().unit_of_work, session_limits(settings), sign_in_id
    )
    return directory.find_actor(app_context().engine, username)


def _found_by_proxy(names: list[str]) -> Actor | None:
    """Return the active person whom the proxy names."""
    try:
        return proxy_sign_in.find(app_context().unit_of_work, _single_name(names), "")
    except SignInRefusedError:
        return None


def proxy_header() -> str:
    """Return the name of the header in which the proxy names the person."""
    return app_context().settings.proxy_header


def sign_in_with_proxy(declare: DeclarePages) -> Actor:
    """Return whom the proxy names. Without exactly one name a page says so, and the run ends."""
    header = app_context().settings.proxy_header
    names = st.context.headers.get_all(header)
    name = _single_name(names)
    if not name:
        _clear_session()
        sign_in_pages.render_refusal(declare, *no_name_text(header, len(names)))
        st.stop()
    try:
        actor = _named_by_proxy(name)
    except SignInRefusedError as refusal:
        _clear_session()
        session().recorded_refusals.add(("sign-in", name))
        sign_in_pages.render_refusal(declare, *refusal_text(refusal, f"the header {header}"))
        st.stop()
    _switch_user(actor)
    session().proxy_name = name
    _user_badge(actor)
    return actor


def _named_by_proxy(name: str) -> Actor:
    """Return the person of that name; record their arrival once per browser session."""
    known = session().proxy_name == name or ("sign-in", name) in session().recorded_refusals
    find_or_begin = proxy_sign_in.find if known else proxy_sign_in.begin
    return find_or_begin(app_context().unit_of_work, name, client_address())


def _single_name(names: list[str]) -> str:
    """Return the only name in a header; empty when there is none, or more than one.

    Servers decode headers as Latin-1, and proxies send UTF-8.
    """
    if len(names) != 1:
        return ""
    return names[0].encode("latin-1", "replace").decode("utf-8", "replace").strip()


def _switch_user(actor: Actor) -> None:
    """Set the person of the session. Clear it first if it belonged to somebody else."""
    if session().username not in {"", actor.username}:
        _clear_session()
    session().username = actor.username


def _clear_session() -> None:
    """Drop all that this browser session has of its person, but for the recorded refusals."""
    if not session().username:
        return
    refusals = session().recorded_refusals
    app_context().one_time_secrets.drop_holder(session().holder)
    session().open_confirmation = None  # a browser may still have its download button
    st.session_state.clear()
    session().recorded_refusals = refusals


def _sign_out(login: LoginClaims) -> NoReturn:
    """End the sign-in for all copies of its cookie, then remove the cookie of this browser."""
    sign_in_sessions.sign_out(app_context().unit_of_work, login)
    _clear_session()
    st.logout()
    st.stop()


def _user_badge(actor: Actor) -> None:
    """Draw the name and roles of the person. One element, because each click draws it again."""
    st.sidebar.markdown(f"**{plain(actor.name)}**  \n:small[{role_names(actor)}]")
