"""The page My API tokens: pending tokens, the new token shown once, and accepted tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.plural import counted
from lib.domain.states import Origin
from lib.domain.tokens import OwnToken
from lib.operations import own_tokens
from lib.operations.secret_retention import SecretKey
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message, secret_reveal
from lib.ui.components.definition_list import UNKNOWN, day_text
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.secret_reveal import ShownSecret
from lib.ui.session import page_state, session
from lib.wording.formats import day, plain

ROWS = 25
WIDTH = 785
_GONE = (
    "The new token is no longer shown. It works if you copied it; otherwise ask an API "
    "administrator for another."
)


@dataclass
class _OwnTokensState:
    """What the page remembers while it is open: the token that would be declined; empty: none."""

    declining_token_id: str = ""


def render_new_token(actor: Actor, mine: Iterable[OwnToken]) -> None:
    """Draw the token that was just accepted, for ten minutes or until it is copied."""
    mine = list(mine)
    token_id = secret_reveal.shown_secret(_key(actor, token.token_id) for token in mine)
    if token_id:
        place = next((_place(t) for t in mine if t.token_id == token_id), "")
        secret_reveal.render_secret(
            _key(actor, token_id), "Your new API token", place, _GONE, width=WIDTH
        )


def render_pending(actor: Actor, pending: Sequence[OwnToken], accepted: Iterable[OwnToken]) -> None:
    """Draw the pending tokens with `Accept` and `Decline`. `accepted` has the person's others."""
    held = {(token.organization_id, token.service_id) for token in accepted}
    st.subheader("Pending", anchor=False)
    for token in pending[:ROWS]:
        _render_pending_token(
            actor, token, replaces=(token.organization_id, token.service_id) in held
        )
    if len(pending) > ROWS:
        st.caption(f"{counted(len(pending) - ROWS, 'more')} when these are answered.")


def render_accepted(accepted: Iterable[OwnToken]) -> None:
    """Draw the accepted tokens; only the first letters of each are known."""
    st.subheader("Accepted", anchor=False)
    date_column = st.column_config.DateColumn(width=110, format="MMM D, YYYY")
    accepted = list(accepted)
    frame = pd.DataFrame(
        [
            (
                t.organization_name,
                t.service_name,
                f"{t.hint}…" if t.hint else "",
                day(t.last_used_at),
                day(t.expires_at),
                day(t.created_at) if t.restored else None,
            )
            for t in accepted
        ],
        columns=["Organization", "Service", "Token", "Last used", "Expires", "Restored"],
    )
    if not any(t.restored for t in accepted):
        frame = frame.drop(columns="Restored")
    st.dataframe(
        frame,
        width=WIDTH,
        height="content",
        hide_index=True,
        column_config=dict.fromkeys(("Last used", "Expires", "Restored"), date_column),
        placeholder=UNKNOWN,
        alt="Your accepted API tokens",
    )


def render_no_tokens() -> None:
    """Draw the empty state, and how the person gets a token."""
    render_empty_state(
        "You have no API tokens",
        "When an API administrator requests one for you, it waits here to be accepted.",
    )


def confirm_decline(pending: Iterable[OwnToken]) -> None:
    """Draw the confirmation of a decline while it is open and its token is pending."""
    dialog.render_dialog(lambda: _describe(pending))


def _render_pending_token(actor: Actor, token: OwnToken, *, replaces: bool) -> None:
    is_shown = bool(page_state(ShownSecret).made_by)
    exported = token.origin is Origin.EXPORT
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width=WIDTH):
        with st.container(width=480, gap="xxsmall"):
            st.markdown(f"**{plain(token.organization_name)}** · {plain(token.service_name)}")
            st.caption(_pending_caption(token, exported=exported, replaces=replaces))
        st.space("stretch")
        st.button(
            "Accept",
            key=f"accept_{token.token_id}",
            disabled=is_shown and not exported,
            help="Copy the new token first." if is_shown else None,
            on_click=_accept,
            args=(token, _key(actor, token.token_id)),
        )
        st.button(
            "Decline",
            key=f"decline_{token.token_id}",
            type="tertiary",
            on_click=_ask_to_decline,
            args=(token.token_id,),
        )


def _pending_caption(token: OwnToken, *, exported: bool, replaces: bool) -> str:
    restored = f"Restored {day_text(token.created_at)} by an undo" if token.restored else ""
    if exported:
        ends = f" until {day_text(token.expires_at)}" if token.expires_at else ""
        exported_at = day_text(token.issued_at or token.created_at)
        tail = f" {restored}." if restored else ""
        return f"Exported {exported_at}. You have it from the CSV; it works already{ends}.{tail}"
    until = f", open until {day_text(token.expires_at)}" if token.expires_at else ""
    end = "; the token that you have stops working then" if replaces else ""
    began = restored or f"Requested {day_text(token.created_at)}"
    return f"{began}{until}. Accept it to see the token{end}."


def _describe(pending: Iterable[OwnToken]) -> Dialog | None:
    declining = page_state(_OwnTokensState).declining_token_id
    token = next((token for token in pending if token.token_id == declining), None)
    if token is None:
        _dismiss()
        return None
    return Dialog(
        "decline",
        "Decline API token",
        _place(token),
        body=lambda: _draw_loss(token),
        quiet=DialogButton("Keep it", "decline_keep", _dismiss),
        primary=DialogButton("Decline", "decline_do", lambda: _decline(token)),
        dismiss=_dismiss,
        step="An API administrator can request another one for you.",
    )


def _draw_loss(token: OwnToken) -> bool:
    st.markdown(
        "The token from the CSV **stops working at once**."
        if token.origin is Origin.EXPORT
        else "You get no new token. A token that you have keeps working."
    )
    return True


def _place(token: OwnToken) -> str:
    return plain(f"{token.organization_name} · {token.service_name}")


def _key(actor: Actor, token_id: str) -> SecretKey:
    return SecretKey(session().holder, actor.username, token_id)


# The callbacks of the buttons. They draw nothing, so that another click cannot stop them halfway.
# They ask again who the current user is, because the page may have been open for long.


def _accept(token: OwnToken, key: SecretKey) -> None:
    shown = page_state(ShownSecret)
    if shown.made_by and token.origin is Origin.REQUEST:
        return  # a second new token would hide the first one before it was copied
    shared = app_context()
    with message.errors_as_message():
        secret = own_tokens.accept(
            shared.unit_of_work, permissions.current_user(), token, shared.minting
        )
        if secret is None:
            message.note("Accepted. You have this token from the CSV, so it is not shown here.")
            return
        shared.one_time_secrets.keep(key, secret.encode())
        shown.made_by = token.token_id


def _ask_to_decline(token_id: str) -> None:
    page_state(_OwnTokensState).declining_token_id = token_id


def _dismiss() -> None:
    page_state(_OwnTokensState).declining_token_id = ""


def _decline(token: OwnToken) -> None:
    _dismiss()
    with message.errors_as_message():
        own_tokens.decline(app_context().unit_of_work, permissions.current_user(), token)
        message.note("Declined.")
