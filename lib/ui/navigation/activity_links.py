"""Links within Activity: to the list, an operation or a person, each with its own address.

They are buttons and tables that write the query string: Streamlit's own link to the open page
would not change it.
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
    """Return the link to an operation: `operation=UTCJF1-<operation id>`."""
    return {"operation": f"{organization_id}-{operation_id}"}


def person_link(username: str) -> Link:
    """Return the link to a person (User 360): `person=<username>`."""
    return {"person": username}


def is_list_open() -> bool:
    """Tell whether the address is that of the list: it names no operation and no person."""
    return not (st.query_params.get("operation") or st.query_params.get("person"))


def follow(link: Link) -> None:
    """Write the link into the address. Call it in a callback: the next run draws that page."""
    st.query_params.from_dict(link)


def render_link(label: str, link: Link, icon: str, key: str) -> None:
    """Draw a link as a quiet button; `label` is Markdown, `icon` a Material name."""
    st.button(
        f":blue[{label}]",
        type="tertiary",
        icon=f":material/{icon}:",
        on_click=follow,
        args=(link,),
        key=key,
    )


def render_back_link() -> None:
    """Draw the link back to the list."""
    render_link("Back to Activity", ACTIVITY_LINK, "arrow_back", "activity_back")


def link_picker(label: str, lines: Mapping[str, tuple[str, Link]], key: str, width: int) -> None:
    """Draw a selectbox over `lines` (label and link by key). A choice follows its link."""
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


def from_rows(name: str, ids: Sequence[object], links: Sequence[Link | None]) -> dict[str, Any]:
    """Return the arguments for st.dataframe that make a chosen row follow its link, if any."""

    def follow_if_any(link: Link | None) -> None:
        if link:
            follow(link)

    return row_selection.selected_row(name, ids, links, follow_if_any)
