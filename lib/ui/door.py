"""The door: nobody gets past it unless somebody who is trusted has said who they are.

Two kinds: an identity provider (OIDC, through Streamlit's own sign-in), or a proxy on this machine
that names the person in a header. Demo mode has no door.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, NoReturn

import streamlit as st

from lib.domain import errors
from lib.domain.clock import MINUTE
from lib.domain.errors import SignInRefused
from lib.domain.roles import Permission
from lib.domain.rows import Actor
from lib.domain.states import Stay
from lib.operations import directory, sign_ins
from lib.operations.sign_ins import Arrival, Limits
from lib.settings import Settings
from lib.ui import providers
from lib.ui.desk import desk
from lib.ui.session import session, session_id
from lib.ui.wording import plain, role_names

_WIDTH = 460
_HOUR = 60 * MINUTE

#: Declares the pages, so that a deep link is still in the address bar after the sign-in.
Declare = Callable[[], object]


def limits(settings: Settings) -> Limits:
    """Return how long a sign-in lasts."""
    return Limits(settings.idle_minutes * MINUTE, settings.session_hours * _HOUR)


def address() -> str:
    """Return from where the browser is connected; empty when that is this machine, or unknown.

    The server takes a proxy's `X-Forwarded-For` for it only when that proxy is on this machine.
    """
    known = st.context.ip_address
    return _address(known) if isinstance(known, str) else ""


def _address(known: str) -> str:
    try:
        # Without the zone of an IPv6 address (`%eth0`), which is any text.
        return str(ip_address(known)).partition("%")[0]
    except ValueError:  # whoever is at this machine can say anything in that header
        return ""


def by_provider(declare: Declare) -> Actor:
    """Return who signed in at the identity provider; anyone else gets the sign-in page."""
    if not st.user.is_logged_in:
        _put_away()
        _sign_in_page(declare, "")
    arrival = Arrival(st.user.to_dict(), address())
    settings = desk().settings
    try:
        actor = sign_ins.stay(desk().ledger, limits(settings), settings.user_claim, arrival)
    except (errors.SignedOut, errors.TimedOut) as refusal:
        _put_away()
        _sign_in_page(declare, _why_again(settings, refusal))
    except SignInRefused as refusal:
        _put_away()
        _turned_away(declare, refusal, arrival)
    _become(actor)
    _name_plate(actor)
    if st.sidebar.button("Sign out", icon=":material/logout:", type="tertiary", key="sign_out"):
        _sign_out(arrival)
    return actor


def is_open() -> bool:
    """Tell whether the sign-in of this browser session lasts, where the provider vouches for it."""
    settings = desk().settings
    if settings.sign_in != "oidc":
        return True
    return standing(st.user.to_dict() if st.user.is_logged_in else None, []) is Stay.IN


def standing(claims: Mapping[str, Any] | None, names: list[str]) -> Stay:
    """Return how somebody's sign-in stands, by the cookie's claims or the proxy's headers.

    For the server's own routes, which no page guards. In demo mode everybody is.
    """
    settings = desk().settings
    if settings.demo_mode:
        return Stay.IN
    if settings.sign_in == "proxy":
        name = _only(names)
        known = name and directory.find_actor(desk().engine, name)
        return Stay.IN if known else Stay.OUT
    if not claims:
        return Stay.OUT
    return sign_ins.standing(desk().ledger, limits(settings), Arrival(claims, "").sign_in_id)


def holder(claims: Mapping[str, Any] | None, names: list[str]) -> str:
    """Return whose the downloads of a browser are: a username of the directory; empty for nobody.

    Of the person and not of the sign-in: one in another tab can take its place meanwhile. In demo
    mode, where anyone can be anyone, they are everybody's. Raises StoreUnavailable.
    """
    if desk().settings.demo_mode:
        return "demo"
    person = _person(claims, names)
    return person.username if person else ""


def end_sign_in(claims: Mapping[str, Any], address: str) -> None:
    """End a sign-in for every copy of its cookie. Raises StoreUnavailable."""
    sign_ins.leave(desk().ledger, Arrival(claims, _address(address)))


def may_drop(claims: Mapping[str, Any] | None, names: list[str]) -> bool:
    """Tell whether somebody may drop a file on Recall; in demo mode, where nobody is known, yes."""
    if desk().settings.demo_mode:
        return True
    person = _person(claims, names)
    return person is not None and person.may_somewhere(Permission.RECALL)


def _person(claims: Mapping[str, Any] | None, names: list[str]) -> Actor | None:
    """Return who is signed in, or whom the proxy names, if the directory has them as active."""
    settings = desk().settings
    if settings.sign_in == "proxy":
        username = _only(names)
    else:
        sign_in_id = Arrival(claims or {}, "").sign_in_id
        username = sign_ins.username_of(desk().ledger, limits(settings), sign_in_id)
    return directory.find_actor(desk().engine, username)


def proxy_header() -> str:
    """Return the header in which a proxy names the person."""
    return desk().settings.proxy_header


def by_proxy(declare: Declare) -> Actor:
    """Return whom the proxy names; without exactly one name nobody is let in."""
    settings = desk().settings
    name = _only(st.context.headers.get_all(settings.proxy_header))
    if not name:
        _put_away()
        _page(
            declare,
            "You are not signed in",
            "Token Desk takes your name from the sign-in proxy, and your browser came without "
            "one. Open Token Desk at its usual address; if this stays, tell whoever runs it.",
        )
        st.stop()
    try:
        actor = _named_by_proxy(name)
    except SignInRefused as refusal:
        _put_away()
        session().refused.add(("sign-in", name))
        _turned_away(declare, refusal, None)
    _become(actor)
    _name_plate(actor)
    return actor


def _named_by_proxy(name: str) -> Actor:
    """Return the person of that name; that they came is recorded once a browser session."""
    known = session().username == name or ("sign-in", name) in session().refused
    arrive = sign_ins.find_by_proxy if known else sign_ins.arrive_by_proxy
    return arrive(desk().ledger, name, address())


def _only(names: list[str]) -> str:
    """Return the one name of a header; empty when there is none, or more than one.

    Servers decode headers as Latin-1, and proxies send UTF-8.
    """
    if len(names) != 1:
        return ""
    return names[0].encode("latin-1", "replace").decode("utf-8", "replace").strip()


def _become(actor: Actor) -> None:
    """Let the session follow; what belonged to somebody else is dropped first."""
    if session().username not in {"", actor.username}:
        _put_away()
    session().username = actor.username


def _put_away() -> None:
    """Drop whatever this browser session still has of a person: nobody is there any more."""
    if not session().username:
        return
    refused = session().refused
    desk().vault.drop_session(session_id())
    session().confirming = None  # its download button may still be held by who looked at it
    st.session_state.clear()
    session().refused = refused


def _sign_out(arrival: Arrival) -> NoReturn:
    """End the sign-in for every copy of its cookie, then take the cookie back."""
    sign_ins.leave(desk().ledger, arrival)
    _put_away()
    st.logout()
    st.stop()


def _sign_in_page(declare: Declare, why: str) -> NoReturn:
    with _page(
        declare,
        "Sign in to Token Desk",
        "Token Desk is where support staff look after API tokens: who has one, who is still to "
        "accept one, and who needs a new one. Users find their own tokens here, too.",
    ):
        if why:
            st.info(why, icon=":material/schedule:")
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


def _turned_away(declare: Declare, refusal: SignInRefused, arrival: Arrival | None) -> NoReturn:
    heading, text = _refusal_words(refusal)
    with _page(declare, heading, text):
        if arrival and st.button(
            "Sign in as someone else", icon=":material/switch_account:", key="sign_in_other"
        ):
            _sign_out(arrival)
    st.stop()


def _why_again(settings: Settings, refusal: SignInRefused) -> str:
    if not isinstance(refusal, errors.TimedOut):
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


def _refusal_words(refusal: SignInRefused) -> tuple[str, str]:
    """Return a heading and a text: what is wrong, and whom to ask."""
    if isinstance(refusal, errors.Inactive):
        return "Your account is inactive", (
            f"You are signed in as **{plain(refusal.name)}**, and this account is inactive in "
            "Token Desk. Ask an API administrator to make it active again."
        )
    if isinstance(refusal, errors.NotInDirectory):
        who = f"as **{plain(refusal.name)}**" if refusal.name else "under a name we cannot read"
        return "Token Desk does not know you yet", (
            f"You are signed in {who}, and Token Desk's directory has nobody of that name. Ask an "
            "API administrator to add you, then sign in again."
        )
    if isinstance(refusal, errors.AmbiguousEmail):
        return "Your e-mail names two accounts", (
            f"**{plain(refusal.email)}** belongs to more than one account, so Token Desk cannot "
            "tell which is yours. Ask an API administrator to give each account its own e-mail."
        )
    claim = refusal.claim if isinstance(refusal, errors.ClaimUnusable) else ""
    return "We cannot tell who you are", (
        f"The sign-in page did not give a usable `{claim}`: it is missing, or it is an e-mail "
        "address that nobody has verified. Tell whoever runs Token Desk."
    )


def _page(declare: Declare, heading: str, text: str) -> st.delta_generator.DeltaGenerator:
    """Draw a page without a menu; return the place below its text for buttons."""
    declare()
    st.set_page_config(page_title=heading)
    with st.container(horizontal_alignment="center"):
        st.space("large")
        body = st.container(width=_WIDTH)
    body.header(heading, anchor=False)
    body.markdown(text)
    return body


def _name_plate(actor: Actor) -> None:
    """Draw who is signed in, and with which role: one element, for it is drawn at every click."""
    st.sidebar.markdown(f"**{plain(actor.name)}**  \n:small[{role_names(actor)}]")
