"""The filters of a list: a row with a search field and selectboxes."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from lib.domain.search import LONGEST_SEARCH
from lib.streamlit_internals.elements import Container

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
) -> str:
    """Draw a search field of `width` pixels; return its text.

    The text is `kept` when the person leaves the page and comes back. `on_change` is a callback.
    """
    text = st.text_input(
        label,
        key=key,
        width=width,
        icon=":material/search:",
        placeholder=placeholder,
        max_chars=LONGEST_SEARCH,
        on_change=on_change,
        persist_state="session" if kept else None,
    )
    return text or ""


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
