"""Links to the list of Activity, an operation or a person, each with its own address.

They are buttons and tables. Within a page they write the query string, because Streamlit's own link
to the open page would not change it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import streamlit as st

from lib.ui.components import row_selection
from lib.ui.navigation.page_registry import ACTIVITY, ACTIVITY_LIST, PERSON, PageEntry
from lib.ui.session import session, value

#: Query parameters of an address of Activity, or of the page of a person.
Link: TypeAlias = dict[str, str]

ACTIVITY_LINK: Link = {}


def operation_link(organization_id: str, operation_id: str) -> Link:
    """Return the link to an operation: `operation=UTCJF1-<operation id>`."""
    return {"operation": f"{organization_id}-{operation_id}"}


def person_link(username: str) -> Link:
    """Return the link to the page of a person: `user=<username>`."""
    return {"user": username}


def is_list_open() -> bool:
    """Tell whether the address is that of the list: it names no operation and no person."""
    return not (st.query_params.get("operation") or st.query_params.get("person"))


def follow(link: Link) -> None:
    """Open the page of a link. Call it in a callback: the next run draws that page."""
    pages = (PERSON,) if "user" in link else (ACTIVITY, ACTIVITY_LIST)
    if session().last_page[:1] in {(page.url_path,) for page in pages}:
        st.query_params.from_dict(link)
    else:
        open_next(pages[0], link)


def open_next(page: PageEntry, query_params: Mapping[str, str]) -> None:
    """Have the frame open a page in the next run, because a callback cannot know all pages."""
    session().next_page = (page.file, dict(query_params))


def open_what_was_followed() -> None:
    """Open the page that a callback has asked for, if any. Call it when the pages are declared."""
    wanted, session().next_page = session().next_page, None
    if wanted:
        st.switch_page(wanted[0], query_params=wanted[1])


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


def from_rows(name: str, ids: Sequence[object], targets: Sequence[Link | None]) -> dict[str, Any]:
    """Return the arguments for st.dataframe that make a chosen row follow its link, if any."""

    def follow_if_any(link: Link | None) -> None:
        if link:
            follow(link)

    return row_selection.selected_row(name, ids, targets, follow_if_any)


def link_column(
    name: str, ids: Sequence[object], targets: Sequence[Link | None], width: int
) -> Any:  # noqa: ANN401 - a column's configuration
    """Return the configuration of a column whose text follows the link of its row at a click.

    It does not answer the keyboard (Streamlit 1.67): give the table `from_rows`, or a `link_picker`
    beside it. `name`, `ids` and `targets` are as in `from_rows`.
    """
    key = f"{name}_{hash(tuple(ids))}"

    def choose() -> None:
        row = value(key)["row"]
        if link := targets[row] if row < len(targets) else None:
            follow(link)

    return st.column_config.ButtonColumn(
        width=width, type="tertiary", alignment="left", on_click=choose, key=key
    )
