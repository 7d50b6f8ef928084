"""The page My API tokens: pending tokens, the new token shown once, and accepted tokens."""

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
    """Draw what the last step did, or why it did nothing."""
    message = session().flash_error or session().flash
    if message:
        st.info(message, icon=":material/info:", width=_WIDTH)


def render_new_token(actor: Actor, mine: Iterable[OwnToken]) -> None:
    """Draw the token that was just accepted, for ten minutes or until it is copied."""
    token_id = session().new_token_id
    if token_id:
        place = next((_place(t) for t in mine if t.token_id == token_id), "")
        secret_reveal.render_secret(
            _key(actor, token_id), "Your new API token", place, _GONE, width=_WIDTH
        )


def render_pending(actor: Actor, pending: Sequence[OwnToken], accepted: Iterable[OwnToken]) -> None:
    """Draw the pending tokens with `Accept` and `Decline`. `accepted` has the person's others."""
    shared = app_context()
    held = {(token.organization_id, token.service_id) for token in accepted}
    st.subheader("Pending", anchor=False)
    for token in pending[:ROWS]:
        _render_pending_token(
            shared, actor, token, replaces=(token.organization_id, token.service_id) in held
        )
    if len(pending) > ROWS:
        st.caption(f"{counted(len(pending) - ROWS, 'more')} when these are answered.")


def render_accepted(accepted: Iterable[OwnToken]) -> None:
    """Draw the accepted tokens; only the first letters of each are known."""
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
    """Draw the empty state, and how the person gets a token."""
    with st.container(gap="xxsmall"):
        st.markdown("**You have no API tokens**")
        st.caption("When an API administrator requests one for you, it waits here to be accepted.")


def confirm_decline(pending: Iterable[OwnToken]) -> None:
    """Draw the confirmation of a decline while it is open and its token is pending."""
    token_id = session().declining_token_id
    for token in pending:
        if token.token_id == token_id:
            _render_dialog(app_context(), token)
            return
    session().declining_token_id = ""


def _render_pending_token(
    shared: AppContext, actor: Actor, token: OwnToken, *, replaces: bool
) -> None:
    remembered = session()
    exported = token.origin is Origin.EXPORT
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width=_WIDTH):
        with st.container(width=480, gap="xxsmall"):
            st.markdown(f"**{plain(token.organization_name)}** · {plain(token.service_name)}")
            st.caption(_pending_caption(token, exported=exported, replaces=replaces))
        st.space("stretch")
        st.button(
            "Accept",
            key=f"accept_{token.token_id}",
            disabled=bool(remembered.new_token_id) and not exported,
            help="Copy the new token first." if remembered.new_token_id else None,
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


def _pending_caption(token: OwnToken, *, exported: bool, replaces: bool) -> str:
    if exported:
        ends = f" until {day_text(token.expires_at)}" if token.expires_at else ""
        exported_at = day_text(token.created_at)
        return f"Exported {exported_at}. You have it from the CSV; it works already{ends}."
    until = f", open until {day_text(token.expires_at)}" if token.expires_at else ""
    end = "; the token that you have stops working then" if replaces else ""
    return f"Requested {day_text(token.created_at)}{until}. Accept it to see the token{end}."


def _render_dialog(shared: AppContext, token: OwnToken) -> None:
    remembered = session()

    def close() -> None:
        remembered.declining_token_id = ""

    @st.dialog("Decline API token", width="medium", on_dismiss=close)
    def draw() -> None:
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

    draw()


def _place(token: OwnToken) -> str:
    return plain(f"{token.organization_name} · {token.service_name}")


def _key(actor: Actor, token_id: str) -> SecretKey:
    return SecretKey(session_id(), actor.username, token_id)


# The callbacks of the buttons. They draw nothing, so that another click cannot stop them halfway.
# They ask again who the current user is, because the page may have been open for long.


def _accept(shared: AppContext, remembered: Session, token: OwnToken, key: SecretKey) -> None:
    if remembered.new_token_id and token.origin is Origin.REQUEST:
        return  # a second new token would hide the first one before it was copied
    remembered.clear_flash()
    try:
        secret = own_tokens.accept(
            shared.unit_of_work, permissions.current_user(), token, shared.minting
        )
    except DeskError as error:
        remembered.flash_error = explain(error)
        return
    if secret is None:
        remembered.flash = "Accepted. You have this token from the CSV, so it is not shown here."
        return
    shared.one_time_secrets.keep(key, secret.encode())
    remembered.new_token_id = token.token_id


def _ask_to_decline(remembered: Session, token_id: str) -> None:
    remembered.clear_flash()
    remembered.declining_token_id = token_id


def _decline(shared: AppContext, remembered: Session, token: OwnToken) -> None:
    remembered.declining_token_id = ""
    try:
        own_tokens.decline(shared.unit_of_work, permissions.current_user(), token)
    except DeskError as error:
        remembered.flash_error = explain(error)
        return
    remembered.flash = "Declined."
