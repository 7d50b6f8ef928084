"""What a page shows when it has nothing to list: what is missing, and what to do next."""

from collections.abc import Callable

import streamlit as st


def render_empty_state(
    title: str,
    advice: str,
    *,
    clear: str = "",
    on_clear: Callable[[], None] | None = None,
    key: str | None = None,
    command: str = "",
) -> None:
    """Draw a title and an advice, both Markdown.

    `clear` is the label of a button that calls `on_clear`; `command` is a line for a terminal.
    """
    with st.container(gap="xxsmall"):
        st.markdown(f"**{title}**")
        st.caption(advice)
    if command:
        st.code(command, language=None, wrap_lines=True)
    if clear:
        st.button(clear, on_click=on_clear, key=key)
