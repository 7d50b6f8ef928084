"""A pager for lists that are read by keyset: forward, and back to the pages seen. No counts."""

from typing import Any

import streamlit as st

from lib.ui.session import Pagers, PagerState, page_state


def page_start(name: str, made_from: tuple[Any, ...]) -> str:
    """Return the key after which the open page of list `name` begins; empty for the first page.

    `made_from` is the filter. When it changes, the list goes back to its first page.
    """
    pager = _pager(name)
    if pager.made_from != made_from:
        pager.made_from, pager.page_starts = made_from, []
    return pager.page_starts[-1] if pager.page_starts else ""


def pages_before(name: str) -> int:
    """Return how many pages of list `name` come before the open one."""
    return len(_pager(name).page_starts)


def render_pager(name: str, further: str, *, back: str = "Newer", on: str = "Older") -> None:
    """Draw the buttons. `further` is the key after which the next page begins; empty: none."""
    before = pages_before(name)
    if not before and not further:
        return
    st.button(
        back,
        icon=":material/chevron_left:",
        disabled=not before,
        on_click=_previous,
        args=(name,),
        key=f"{name}_back",
    )
    st.button(
        on,
        icon=":material/chevron_right:",
        icon_position="right",
        disabled=not further,
        on_click=_next,
        args=(name, further),
        key=f"{name}_on",
    )


def _pager(name: str) -> PagerState:
    return page_state(Pagers).by_name.setdefault(name, PagerState())


def _previous(name: str) -> None:
    page_starts = _pager(name).page_starts
    if page_starts:
        page_starts.pop()


def _next(name: str, further: str) -> None:
    _pager(name).page_starts.append(further)
