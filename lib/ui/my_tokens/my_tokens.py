"""My API tokens: what waits for the person, the token shown once, and what they have."""

from collections.abc import Iterable, Sequence

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.errors import DeskError
from lib.domain.plural import counted
from lib.domain.states import Origin
from lib.domain.tokens import OwnToken
from lib.operations import own_tokens
from lib.operations.one_time_secrets import SecretKey
from lib.streamlit_internals.runtime import session_id
from lib.ui.app_context import AppContext, app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, secret_reveal
from lib.ui.components.definition_list import UNKNOWN, day_text
from lib.ui.session import Session, session
from lib.wording.formats import day, plain
from lib.wording.sentences import explain

ROWS = 25
_WIDTH = 785
_GONE = (
    "The new token is no longer shown. It works if you copied it; otherwise ask an API "
    "administrator for another."
)


def render_flash() -> None:
    """Say what the last step did, or why it did nothing."""
    if session().notice:
        st.info(session().notice, icon=":material/info:", width=_WIDTH)


def render_new_token(actor: Actor, mine: Iterable[OwnToken]) -> None:
    """Show the token that was just accepted, until it is copied or its time is over."""
    shown = session().shown_token
    if shown:
        place = next((_place(t) for t in mine if t.token_id == shown), "")
        secret_reveal.render_secret(
            _key(actor, shown), "Your new API token", place, _GONE, width=_WIDTH
        )


def render_pending(actor: Actor, pending: Sequence[OwnToken], accepted: Iterable[OwnToken]) -> None:
    """Draw what waits for the person, with `Accept` and `Decline`; `accepted` is what they have."""
    shared = app_context()
    held = {(token.organization_id, token.service_id) for token in accepted}
    st.subheader("Pending", anchor=False)
    for token in pending[:ROWS]:
        _show_one(shared, actor, token, replaces=(token.organization_id, token.service_id) in held)
    if len(pending) > ROWS:
        st.caption(f"{counted(len(pending) - ROWS, 'more')} when these are answered.")


def render_accepted(accepted: Iterable[OwnToken]) -> None:
    """Draw the tokens that the person has; only the first letters of each are known."""
    st.subheader("Accepted", anchor=False)
    date_column = st.column_config.DateColumn(width=110, format="MMM D, YYYY")
    frame = pd.DataFrame(
        [
            (
                t.organization_name,
                t.service_name,
                f"{t.hint}…" if t.hint else "",
                day(t.last_used_at),
                day(t.expires_at),
            )
            for t in accepted
        ],
        columns=["Organization", "Service", "Token", "Last used", "Expires"],
    )
    st.dataframe(
        frame,
        width=_WIDTH,
        height="content",
        hide_index=True,
        column_config={"Last used": date_column, "Expires": date_column},
        placeholder=UNKNOWN,
        alt="Your accepted API tokens",
    )


def render_no_tokens() -> None:
    """Say that the person has nothing, and how that changes."""
    with st.container(gap="xxsmall"):
        st.markdown("**You have no API tokens**")
        st.caption("When an API administrator requests one for you, it waits here to be accepted.")


def confirm_decline(pending: Iterable[OwnToken]) -> None:
    """Ask once more before a decline, as long as what is declined is still pending."""
    declining = session().declining
    for token in pending:
        if token.token_id == declining:
            _confirm_decline(app_context(), token)
            return
    session().declining = ""


def _show_one(shared: AppContext, actor: Actor, token: OwnToken, *, replaces: bool) -> None:
    remembered = session()
    exported = token.origin is Origin.EXPORT
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width=_WIDTH):
        with st.container(width=480, gap="xxsmall"):
            st.markdown(f"**{plain(token.organization_name)}** · {plain(token.service_name)}")
            st.caption(_story(token, exported=exported, replaces=replaces))
        st.space("stretch")
        st.button(
            "Accept",
            key=f"accept_{token.token_id}",
            disabled=bool(remembered.shown_token) and not exported,
            help="Copy the new token first." if remembered.shown_token else None,
            on_click=_accept,
            args=(shared, remembered, token, _key(actor, token.token_id)),
        )
        st.button(
            "Decline",
            key=f"decline_{token.token_id}",
            type="tertiary",
            on_click=_ask_to_decline,
            args=(remembered, token.token_id),
        )


def _story(token: OwnToken, *, exported: bool, replaces: bool) -> str:
    if exported:
        return f"Exported {day_text(token.created_at)}. You have it from the CSV; it works already."
    until = f", open until {day_text(token.expires_at)}" if token.expires_at else ""
    end = "; the token that you have stops working then" if replaces else ""
    return f"Requested {day_text(token.created_at)}{until}. Accept it to see the token{end}."


def _confirm_decline(shared: AppContext, token: OwnToken) -> None:
    remembered = session()

    def close() -> None:
        remembered.declining = ""

    @st.dialog("Decline API token", width="medium", on_dismiss=close)
    def ask() -> None:
        st.caption(_place(token))
        st.markdown(
            "The token from the CSV **stops working at once**."
            if token.origin is Origin.EXPORT
            else "You get no new token. A token that you have keeps working."
        )
        st.caption("An API administrator can request another one for you.")
        with dialog.dialog_buttons():
            kept = st.button("Keep it", on_click=close)
            declined = st.button(
                "Decline",
                type="primary",
                on_click=_decline,
                args=(shared, remembered, token),
            )
        if kept or declined:
            st.rerun()

    ask()


def _place(token: OwnToken) -> str:
    return plain(f"{token.organization_name} · {token.service_name}")


def _key(actor: Actor, token_id: str) -> SecretKey:
    return SecretKey(session_id(), actor.username, token_id)


# What follows runs when a button is clicked. Nothing in it draws, so that another click cannot cut
# it in half; and who clicks is asked anew, since the page may have stood open for long.


def _accept(shared: AppContext, remembered: Session, token: OwnToken, key: SecretKey) -> None:
    if remembered.shown_token and token.origin is Origin.REQUEST:
        return  # a second new token would hide the first one before it was copied
    remembered.notice = ""
    try:
        secret = own_tokens.accept(
            shared.unit_of_work, permissions.current_user(), token, shared.minting
        )
    except DeskError as error:
        remembered.notice = explain(error)
        return
    if secret is None:
        remembered.notice = "Accepted. You have this token from the CSV, so it is not shown here."
        return
    shared.one_time_secrets.keep(key, secret.encode())
    remembered.shown_token = token.token_id


def _ask_to_decline(remembered: Session, token_id: str) -> None:
    remembered.notice = ""
    remembered.declining = token_id


def _decline(shared: AppContext, remembered: Session, token: OwnToken) -> None:
    remembered.declining = ""
    try:
        own_tokens.decline(shared.unit_of_work, permissions.current_user(), token)
    except DeskError as error:
        remembered.notice = explain(error)
        return
    remembered.notice = "Declined."
