"""The pages for a visitor who is not signed in: the sign-in page, and the refusals."""

from collections.abc import Callable
from typing import NoReturn

import streamlit as st

from lib.streamlit_internals.elements import Container
from lib.ui.auth import providers
from lib.wording.sign_in import SIGN_IN_FAILED

_WIDTH = 460

#: Name of a cookie that the server sets for a minute when a sign-in has failed.
FAILED_COOKIE = "token_desk_sign_in_failed"

#: Declares the pages, so that the address bar keeps a deep link through the sign-in.
DeclarePages = Callable[[], object]


def render_sign_in(declare: DeclarePages, reason: str) -> NoReturn:
    """Draw the sign-in page, with a reason why an earlier sign-in has ended; end the run."""
    with _page_without_menu(
        declare,
        "Sign in to Token Desk",
        "Support staff manage API tokens here: who has one, who still has to accept one, and who "
        "needs a new one. Users find their own tokens here, too.",
    ):
        if reason:
            st.info(reason, icon=":material/schedule:")
        elif FAILED_COOKIE in st.context.cookies:
            st.error(SIGN_IN_FAILED, icon=":material/error:")
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


def render_refusal(
    declare: DeclarePages, heading: str, text: str, *, can_change: bool = False
) -> bool:
    """Draw why a sign-in is refused; return whether the person wants to be somebody else.

    `can_change` offers that.
    """
    with _page_without_menu(declare, heading, text):
        return can_change and st.button(
            "Sign in as someone else", icon=":material/switch_account:", key="sign_in_other"
        )


def _page_without_menu(declare: DeclarePages, heading: str, text: str) -> Container:
    """Draw a page without a menu; return the container below its text, for buttons.

    The text is shown as it is: it may hold what a provider or a proxy has sent.
    """
    declare()
    st.set_page_config(page_title=heading)
    with st.container(horizontal_alignment="center"):
        st.space("large")
        body = st.container(width=_WIDTH)
    body.header(heading, anchor=False)
    body.text(text)
    return body
