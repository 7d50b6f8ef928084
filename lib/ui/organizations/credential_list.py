"""Service credentials on the Services page: a service uses them to check tokens."""

from collections.abc import Sequence

import streamlit as st

from lib.domain.access import Actor
from lib.domain.credentials import ServiceCredential
from lib.domain.directory import Subscription
from lib.domain.errors import DeskError
from lib.domain.roles import Permission
from lib.operations import credentials
from lib.operations.one_time_secrets import SecretKey
from lib.streamlit_internals.runtime import session_id
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, secret_reveal
from lib.ui.components.definition_list import day_text
from lib.ui.session import session, value
from lib.wording.formats import plain
from lib.wording.sentences import explain

_WIDTH = 785
_SERVICE = "credentials_service"
_GONE = "The secret is no longer shown. If it was not copied, end the credential and make another."


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
    message = session().flash_error or session().flash
    if message:
        st.info(message, icon=":material/info:", width=_WIDTH)
    if session().new_client_id:
        key = _key(actor, session().new_client_id)
        secret_reveal.render_secret(
            key, "New secret", f"Client id {plain(key.made_by)}", _GONE, width=_WIDTH
        )
    service_id = st.selectbox(
        "Service", list(names), key=_SERVICE, format_func=names.__getitem__, width=220
    )
    live = credentials.list_credentials(app_context().engine, actor, service_id)
    for credential in live:
        _row(credential)
    if not live:
        st.caption("No credentials yet: nobody can check tokens of this service.")
    st.button(
        "Create credential",
        on_click=_create,
        key="credentials_create",
        disabled=len(live) >= credentials.MOST_LIVE or bool(session().new_client_id),
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
    if session().ending_client_id:
        st.dialog("End service credential", width="medium", on_dismiss=_close)(_dialog_body)()


def _dialog_body() -> None:
    client_id = session().ending_client_id
    st.caption(plain(client_id))
    st.markdown("Programs that use it are **refused at once**. This cannot be undone.")
    with dialog.dialog_buttons():
        kept = st.button("Keep it", on_click=_close)
        ended = st.button("End", type="primary", on_click=_end, key="credentials_end")
    if kept or ended:
        st.rerun()


def _key(actor: Actor, client_id: str) -> SecretKey:
    return SecretKey(session_id(), actor.username, client_id)


def _create() -> None:
    session().clear_flash()
    shared = app_context()
    try:
        actor = permissions.current_user()
        new = credentials.create(shared.unit_of_work, actor, value(_SERVICE), shared.minting)
    except DeskError as error:
        session().flash_error = explain(error)
        return
    shared.one_time_secrets.keep(_key(actor, new.client_id), new.client_secret.encode())
    session().new_client_id = new.client_id


def _open_confirmation(client_id: str) -> None:
    session().clear_flash()
    session().ending_client_id = client_id


def _close() -> None:
    session().ending_client_id = ""


def _end() -> None:
    client_id, session().ending_client_id = session().ending_client_id, ""
    try:
        ended = credentials.end(app_context().unit_of_work, permissions.current_user(), client_id)
    except DeskError as error:
        session().flash_error = explain(error)
        return
    session().flash = f"Ended: {client_id}." if ended else f"Already ended: {client_id}."
