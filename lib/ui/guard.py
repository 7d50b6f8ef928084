"""Who is signed in, and what they may open. Each page asks; operations ask again."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st

from lib.domain.errors import DeskError
from lib.domain.rows import Actor
from lib.operations import directory
from lib.ui.desk import desk
from lib.ui.session import session
from lib.ui.wording import explain, plain

_log = logging.getLogger(__name__)
_PEOPLE_TO_PICK = 6


@contextmanager
def telling() -> Iterator[None]:
    """Show an error of ours as a sentence instead of a traceback, and end the page there."""
    try:
        yield
    except DeskError as error:
        _log.warning("refused: %s", type(error).__name__)
        st.error(explain(error), icon=":material/error:")
        st.stop()


@contextmanager
def noticing() -> Iterator[None]:
    """In a callback, where nothing may be drawn: keep an error's sentence for the next run."""
    try:
        yield
    except DeskError as error:
        _log.warning("refused: %s", type(error).__name__)
        session().notice = explain(error)


def sign_in() -> Actor:
    """Draw the demo's `Signed in as` and return who was picked; ends the page when unknown."""
    people = directory.personas(desk().engine, _PEOPLE_TO_PICK)
    names = {person.username: person for person in people}
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
        person = names.get(username) or directory.find_actor(desk().engine, str(username or ""))
        if person:
            st.caption("API administrator" if person.is_administrator else "User")
        st.badge("Demo mode", icon=":material/science:", color="gray")
    if person is None:
        _nobody(username)
    session().username = person.username
    return person


def current() -> Actor:
    """Return who is signed in, as the database has them now."""
    person = directory.find_actor(desk().engine, session().username)
    return person or Actor("", "", is_administrator=False)


def administrator() -> Actor:
    """Return the signed-in API administrator; anyone else gets a plain message and no page."""
    person = current()
    if not person.is_administrator:
        st.info("This page is for API administrators.", icon=":material/lock:")
        st.page_link("my_api_tokens.py", label="Go to My API tokens", icon=":material/key:")
        st.stop()
    return person


def _nobody(username: str | None) -> NoReturn:
    if username:
        st.warning(
            f"There is no user {plain(username)}. Pick a person under “Signed in as”.",
            icon=":material/person_off:",
        )
    else:
        st.info(
            "There is nobody to sign in as. Import users first, one of them with an empty "
            "organization_id: that is an API administrator (README, “Use your own directory”).",
            icon=":material/person_add:",
        )
    st.stop()
