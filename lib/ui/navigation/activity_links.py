"""The ways about Activity: to the list, an operation or a person, each with its own address.

Buttons and tables that write the address: a link to the page one is on would leave it as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import streamlit as st

from lib.ui.components import row_selection
from lib.ui.session import value

#: Query parameters of an address of Activity.
Link: TypeAlias = dict[str, str]

ACTIVITY_LINK: Link = {}


def operation_link(organization_id: str, operation_id: str) -> Link:
    """Return the way to an operation's page."""
    return {"operation": f"{organization_id}-{operation_id}"}


def person_link(username: str) -> Link:
    """Return the way to a person's page (User 360)."""
    return {"person": username}


def is_list_open() -> bool:
    """Tell whether the address is the list's, not an operation's or a person's."""
    return not (st.query_params.get("operation") or st.query_params.get("person"))


def follow(way: Link) -> None:
    """Go there, from a callback: the page that is then drawn is the one of this address."""
    st.query_params.from_dict(way)


def render_link(label: str, way: Link, icon: str, key: str) -> None:
    """Draw a way as a quiet button; `label` is Markdown."""
    st.button(
        f":blue[{label}]",
        type="tertiary",
        icon=f":material/{icon}:",
        on_click=follow,
        args=(way,),
        key=key,
    )


def render_back_link() -> None:
    """Draw the way back to the list."""
    render_link("Back to Activity", ACTIVITY_LINK, "arrow_back", "activity_back")


def link_picker(label: str, lines: Mapping[str, tuple[str, Link]], key: str, width: int) -> None:
    """Draw a selectbox over `lines` (label and way by key); choosing one goes there."""
    if not lines:
        return

    def choose() -> None:
        line = value(key)
        if line in lines:
            follow(lines[line][1])

    st.selectbox(
        label,
        list(lines),
        index=None,
        key=key,
        format_func=lambda line: lines[line][0] if line in lines else line,
        placeholder="Choose",
        on_change=choose,
        width=width,
    )


def from_rows(name: str, ids: Sequence[object], ways: Sequence[Link | None]) -> dict[str, Any]:
    """Return what makes a choice in the table `name` follow the link of its row."""

    def go_if_any(way: Link | None) -> None:
        if way:
            follow(way)

    return row_selection.selected_row(name, ids, ways, go_if_any)
