"""The filters of a list: a row with a search field and selectboxes.

A text that holds a token is no search: the field is emptied before anything reads it.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from lib.domain.leaks.search import holds_token
from lib.domain.search import LONGEST_SEARCH
from lib.streamlit_internals.elements import Container
from lib.ui.app_context import app_context
from lib.ui.session import set_value, value

REFUSED_TEXT = "This is a token. Look it up in Recall."
_Value = TypeVar("_Value", bound=str)


def filter_row(key: str) -> Container:
    """Return the row for the fields of a form or a filter; it wraps on a narrow screen."""
    return st.container(horizontal=True, vertical_alignment="bottom", key=key)


def search_field(
    label: str,
    placeholder: str,
    key: str,
    width: int,
    *,
    on_change: Callable[[], None] | None = None,
    kept: bool = True,
    live: bool = False,
) -> str:
    """Draw a search field of `width` pixels; return its text.

    The text is `kept` when the person leaves the page and comes back. `on_change` is a callback.
    A `live` field searches while the person types. A text that holds a token empties the field.
    """
    refused = is_token(value(key))
    if refused:
        set_value(key, "")
    with st.container(width=width, gap="xxsmall"):
        text = st.text_input(
            label,
            key=key,
            icon=":material/search:",
            placeholder=placeholder,
            max_chars=LONGEST_SEARCH,
            on_change=on_change,
            live=live,
            persist_state="session" if kept else None,
        )
        if refused:
            st.markdown(f":small[:red[{REFUSED_TEXT}]]")
    return text or ""


def is_token(text: str | None) -> bool:
    """Tell whether `text` holds a token, which no page searches for, keeps or shows."""
    return holds_token(text or "", app_context().minting.prefix)


def choice(
    label: str,
    options: Mapping[_Value, str],
    key: str,
    width: int,
    *,
    on_change: Callable[[], None] | None = None,
    kept: bool = True,
) -> _Value:
    """Draw a selectbox over `options` (labels by value); return the chosen value.

    The first option is the default. A value that is no longer offered is the default too.
    """
    if st.session_state.get(key) not in list(options):
        st.session_state.pop(key, None)
    chosen = st.selectbox(
        label,
        list(options),
        key=key,
        format_func=lambda value: options.get(value, value),
        width=width,
        on_change=on_change,
        persist_state="session" if kept else None,
    )
    return chosen or next(iter(options))
