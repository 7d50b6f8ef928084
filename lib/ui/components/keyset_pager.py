"""Lists that are read by keyset: forward, and back the way one came. Nothing is counted."""

from typing import Any

import streamlit as st

from lib.ui.session import PagerState, session


def page_start(name: str, made_from: tuple[Any, ...]) -> str:
    """Return behind which key the open page of list `name` begins; empty for the first page.

    Something else that is looked for begins at its first page.
    """
    trail = session().pagers.setdefault(name, PagerState())
    if trail.made_from != made_from:
        trail.made_from, trail.begins = made_from, []
    return trail.begins[-1] if trail.begins else ""


def pages_before(name: str) -> int:
    """Return how many pages of list `name` were gone through."""
    return len(session().pagers.setdefault(name, PagerState()).begins)


def render_pager(name: str, further: str, *, back: str = "Newer", on: str = "Older") -> None:
    """Draw the buttons; `further` is the key behind which the next page begins, or empty."""
    behind = pages_before(name)
    if not behind and not further:
        return
    st.button(
        back,
        icon=":material/chevron_left:",
        disabled=not behind,
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


def _previous(name: str) -> None:
    begins = session().pagers[name].begins
    if begins:
        begins.pop()


def _next(name: str, further: str) -> None:
    session().pagers[name].begins.append(further)
