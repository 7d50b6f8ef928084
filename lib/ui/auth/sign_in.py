"""Authentication: an OIDC provider or a trusted proxy must identify every visitor.

OIDC goes through Streamlit's own sign-in. The proxy runs on this machine and names the person in a
header. Demo mode has no authentication.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, NoReturn

import streamlit as st

from lib.domain import errors
from lib.domain.access import Actor
from lib.domain.clock import MINUTE
from lib.domain.errors import SignInRefusedError
from lib.domain.roles import Permission
from lib.domain.states import SessionStatus
from lib.operations import directory, sign_in_sessions
from lib.operations.sign_in_sessions import LoginClaims, SessionLimits
from lib.settings import Settings
from lib.streamlit_internals.elements import Container
from lib.streamlit_internals.runtime import session_id
from lib.ui.app_context import app_context
from lib.ui.auth import providers
from lib.ui.session import session
from lib.wording.formats import plain
from lib.wording.labels import role_names

_WIDTH = 460
_HOUR = 60 * MINUTE

#: Declares the pages, so that the address bar keeps a deep link through the sign-in.
DeclarePages = Callable[[], object]


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
        _sign_in_page(declare, "")
    login = LoginClaims(st.user.to_dict(), client_address())
    settings = app_context().settings
    try:
        actor = sign_in_sessions.resume(
            app_context().unit_of_work, session_limits(settings), settings.user_claim, login
        )
    except (errors.SignedOutError, errors.SessionTimedOutError) as refusal:
        _clear_session()
        _sign_in_page(declare, _sign_in_reason(settings, refusal))
    except SignInRefusedError as refusal:
        _clear_session()
        _refusal_page(declare, refusal, login)
    _switch_user(actor)
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

    The server's own routes use it: no page guards them. In demo mode it is always IN.
    """
    settings = app_context().settings
    if settings.demo_mode:
        return SessionStatus.ACTIVE
    if settings.sign_in == "proxy":
        name = _single_name(names)
        known = name and directory.find_actor(app_context().engine, name)
        return SessionStatus.ACTIVE if known else SessionStatus.NONE
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
    """End a sign-in for all copies of its cookie. Raises DatabaseUnavailableError."""
    sign_in_sessions.sign_out(
        app_context().unit_of_work, LoginClaims(claims, _parsed_address(address))
    )


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
        username = _single_name(names)
    else:
        sign_in_id = LoginClaims(claims or {}, "").sign_in_id
        username = sign_in_sessions.username_of(
            app_context().unit_of_work, session_limits(settings), sign_in_id
        )
    return directory.find_actor(app_context().engine, username)


def proxy_header() -> str:
    """Return the name of the header in which the proxy names the person."""
    return app_context().settings.proxy_header


def sign_in_with_proxy(declare: DeclarePages) -> Actor:
    """Return whom the proxy names. Without exactly one name a page says so, and the run ends."""
    settings = app_context().settings
    name = _single_name(st.context.headers.get_all(settings.proxy_header))
    if not name:
        _clear_session()
        _page_without_menu(
            declare,
            "You are not signed in",
            "Token Desk takes your name from the sign-in proxy, and your browser came without "
            "one. Open Token Desk at its usual address; if this stays, tell whoever runs it.",
        )
        st.stop()
    try:
        actor = _named_by_proxy(name)
    except SignInRefusedError as refusal:
        _clear_session()
        session().recorded_refusals.add(("sign-in", name))
        _refusal_page(declare, refusal, None)
    _switch_user(actor)
    _user_badge(actor)
    return actor


def _named_by_proxy(name: str) -> Actor:
    """Return the person of that name; record their arrival once per browser session."""
    known = session().username == name or ("sign-in", name) in session().recorded_refusals
    find_or_begin = sign_in_sessions.find_by_proxy if known else sign_in_sessions.begin_by_proxy
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
    app_context().one_time_secrets.drop_session(session_id())
    session().open_confirmation = None  # a browser may still have its download button
    st.session_state.clear()
    session().recorded_refusals = refusals


def _sign_out(login: LoginClaims) -> NoReturn:
    """End the sign-in for all copies of its cookie, then remove the cookie of this browser."""
    sign_in_sessions.sign_out(app_context().unit_of_work, login)
    _clear_session()
    st.logout()
    st.stop()


def _sign_in_page(declare: DeclarePages, reason: str) -> NoReturn:
    with _page_without_menu(
        declare,
        "Sign in to Token Desk",
        "Support staff manage API tokens here: who has one, who still has to accept one, and who "
        "needs a new one. Users find their own tokens here, too.",
    ):
        if reason:
            st.info(reason, icon=":material/schedule:")
        for provider in providers.listed():
            if st.button(
                provider.label,
                type="primary",
                icon=":material/login:",
                width="stretch",
                key=f"sign_in_{provider.key}",
            ):
                st.login(provider.key)
        st.caption(
            "You sign in at your organization's own sign-in page. Token Desk never sees your "
            "password."
        )
    st.stop()


def _refusal_page(
    declare: DeclarePages, refusal: SignInRefusedError, login: LoginClaims | None
) -> NoReturn:
    heading, text = _refusal_text(refusal)
    with _page_without_menu(declare, heading, text):
        if login and st.button(
            "Sign in as someone else", icon=":material/switch_account:", key="sign_in_other"
        ):
            _sign_out(login)
    st.stop()


def _sign_in_reason(settings: Settings, refusal: SignInRefusedError) -> str:
    if not isinstance(refusal, errors.SessionTimedOutError):
        return "You are signed out. Sign in to go on."
    if refusal.idle:
        minutes = settings.idle_minutes
        return (
            f"You were signed out after {minutes} {'minute' if minutes == 1 else 'minutes'} "
            "without a click. Sign in to go on where you were."
        )
    hours = settings.session_hours
    return (
        f"You were signed out because a sign-in lasts {hours} {'hour' if hours == 1 else 'hours'}. "
        "Sign in to go on where you were."
    )


def _refusal_text(refusal: SignInRefusedError) -> tuple[str, str]:
    """Return the heading and the text of a refusal: what is wrong, and whom to ask."""
    if isinstance(refusal, errors.InactiveAccountError):
        return "Your account is inactive", (
            f"You are signed in as **{plain(refusal.name)}**, and this account is inactive in "
            "Token Desk. Ask an API administrator to make it active again."
        )
    if isinstance(refusal, errors.NotInDirectoryError):
        who = f"as **{plain(refusal.name)}**" if refusal.name else "under a name we cannot read"
        return "Token Desk does not know you yet", (
            f"You are signed in {who}, and Token Desk's directory has nobody of that name. Ask an "
            "API administrator to add you, then sign in again."
        )
    if isinstance(refusal, errors.AmbiguousEmailError):
        return "Your e-mail names two accounts", (
            f"**{plain(refusal.email)}** belongs to more than one account, so Token Desk cannot "
            "tell which is yours. Ask an API administrator to give each account its own e-mail."
        )
    claim = refusal.claim if isinstance(refusal, errors.ClaimUnusableError) else ""
    return "We cannot tell who you are", (
        f"The sign-in page did not give a usable `{claim}`: it is missing, or it is an e-mail "
        "address that nobody has verified. Tell whoever runs Token Desk."
    )


def _page_without_menu(declare: DeclarePages, heading: str, text: str) -> Container:
    """Draw a page without a menu; return the container below its text, for buttons."""
    declare()
    st.set_page_config(page_title=heading)
    with st.container(horizontal_alignment="center"):
        st.space("large")
        body = st.container(width=_WIDTH)
    body.header(heading, anchor=False)
    body.markdown(text)
    return body


def _user_badge(actor: Actor) -> None:
    """Draw the name and roles of the person. One element, because each click draws it again."""
    st.sidebar.markdown(f"**{plain(actor.name)}**  \n:small[{role_names(actor)}]")
