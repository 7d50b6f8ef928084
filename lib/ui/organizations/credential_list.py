"""Service credentials on the Services page: a service uses them to check tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from lib.domain.access import Actor
from lib.domain.credentials import ServiceCredential
from lib.domain.directory import Subscription
from lib.domain.roles import Permission
from lib.operations import credentials
from lib.operations.secret_retention import SecretKey
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message, secret_reveal
from lib.ui.components.definition_list import day_text
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.components.secret_reveal import ShownSecret
from lib.ui.session import page_state, session, value
from lib.wording.formats import plain

_WIDTH = 785
_SERVICE = "credentials_service"
_GONE = "The secret is no longer shown. If it was not copied, end the credential and make another."


@dataclass
class _CredentialState:
    """What the page remembers while it is open: the credential that would end; empty: none."""

    ending_client_id: str = ""


def render_credentials(actor: Actor, subscriptions: Sequence[Subscription]) -> None:
    """Draw the credentials of a service with their buttons; nothing without the permission."""
    if not actor.may(Permission.ACCESS):
        return
    names = {s.service_id: s.service_name for s in subscriptions}
    st.subheader("Service credentials", anchor=False)
    st.caption(
        "A service uses a client id and secret to check tokens. They apply to all organizations. "
        "Two can be active during rotation."
    )
    message.render_message(width=_WIDTH)
    secret_box = st.container()
    service_id = st.selectbox(
        "Service", list(names), key=_SERVICE, format_func=names.__getitem__, width=220
    )
    live = credentials.list_credentials(app_context().engine, actor, service_id)
    shown = secret_reveal.shown_secret(_key(actor, credential.client_id) for credential in live)
    if shown:
        with secret_box:
            secret_reveal.render_secret(
                _key(actor, shown), "New secret", f"Client id {plain(shown)}", _GONE, width=_WIDTH
            )
    for credential in live:
        _row(credential)
    if not live:
        st.caption("No credentials yet: nobody can check tokens of this service.")
    st.button(
        "Create credential",
        on_click=_create,
        key="credentials_create",
        disabled=len(live) >= credentials.MOST_LIVE or bool(shown),
        help="End one of the two first." if len(live) >= credentials.MOST_LIVE else None,
    )


def _row(credential: ServiceCredential) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width=_WIDTH):
        with st.container(width=480, gap="xxsmall"):
            st.text(credential.client_id)
            by = plain(credential.created_by) or "the command line"
            st.caption(f"Created {day_text(credential.created_at)} by {by}")
        st.space("stretch")
        st.button(
            "End",
            type="tertiary",
            key=f"credentials_end_{credential.client_id}",
            on_click=_open_confirmation,
            args=(credential.client_id,),
        )


def confirm_end() -> None:
    """Draw the confirmation while one is open: the end of a credential."""
    dialog.render_dialog(_describe)


def _describe() -> Dialog | None:
    client_id = page_state(_CredentialState).ending_client_id
    if not client_id:
        return None
    return Dialog(
        "credentials",
        "End service credential",
        plain(client_id),
        body=_draw_loss,
        quiet=DialogButton("Keep it", "credentials_keep", _dismiss),
        primary=DialogButton("End", "credentials_end", _end),
        dismiss=_dismiss,
        step="",
    )


def _draw_loss() -> bool:
    st.markdown("Programs that use it are **refused at once**. This cannot be undone.")
    return True


def _key(actor: Actor, client_id: str) -> SecretKey:
    return SecretKey(session().holder, actor.username, client_id)


def _create() -> None:
    shared = app_context()
    with message.errors_as_message():
        actor = permissions.current_user()
        new = credentials.create(shared.unit_of_work, actor, value(_SERVICE), shared.minting)
        shared.one_time_secrets.keep(_key(actor, new.client_id), new.client_secret.encode())
        page_state(ShownSecret).made_by = new.client_id


def _open_confirmation(client_id: str) -> None:
    page_state(_CredentialState).ending_client_id = client_id


def _dismiss() -> None:
    page_state(_CredentialState).ending_client_id = ""


def _end() -> None:
    client_id = page_state(_CredentialState).ending_client_id
    _dismiss()
    with message.errors_as_message():
        ended = credentials.end(app_context().unit_of_work, permissions.current_user(), client_id)
        message.note(f"Ended: {client_id}." if ended else f"Already ended: {client_id}.")
