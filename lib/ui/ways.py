"""The ways about Activity: to the list, an operation or a person, each with its own address.

Buttons and tables that write the address: a link to the page one is on would leave it as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import streamlit as st

from lib.ui import choosing
from lib.ui.session import value

#: Query parameters of an address of Activity.
Way: TypeAlias = dict[str, str]

TO_LIST: Way = {}


def to_operation(organization_id: str, operation_id: str) -> Way:
    """Return the way to an operation's page."""
    return {"operation": f"{organization_id}-{operation_id}"}


def to_person(username: str) -> Way:
    """Return the way to a person's page (User 360)."""
    return {"person": username}


def is_at_list() -> bool:
    """Tell whether the address is the list's, not an operation's or a person's."""
    return not (st.query_params.get("operation") or st.query_params.get("person"))


def go(way: Way) -> None:
    """Go there, from a callback: the page that is then drawn is the one of this address."""
    st.query_params.from_dict(way)


def show(label: str, way: Way, icon: str, key: str) -> None:
    """Draw a way as a quiet button; `label` is Markdown."""
    st.button(
        f":blue[{label}]",
        type="tertiary",
        icon=f":material/{icon}:",
        on_click=go,
        args=(way,),
        key=key,
    )


def show_back() -> None:
    """Draw the way back to the list."""
    show("Back to Activity", TO_LIST, "arrow_back", "activity_back")


def pick(label: str, lines: Mapping[str, tuple[str, Way]], key: str, width: int) -> None:
    """Draw a selectbox over `lines` (label and way by key); choosing one goes there."""
    if not lines:
        return

    def choose() -> None:
        line = value(key)
        if line in lines:
            go(lines[line][1])

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


def from_rows(name: str, ids: Sequence[object], ways: Sequence[Way | None]) -> dict[str, Any]:
    """Return what makes a choice in the table `name` go the way of its row (lib.ui.choosing)."""

    def go_if_any(way: Way | None) -> None:
        if way:
            go(way)

    return choosing.one_of(name, ids, ways, go_if_any)
