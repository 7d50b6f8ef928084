"""Links to pages. The registry gives each link its page, title and icon."""

from collections.abc import Mapping

import streamlit as st

from lib.ui.navigation.page_registry import PageEntry


def page_link(
    page: PageEntry,
    query_params: Mapping[str, str] | None = None,
    *,
    label: str = "",
    icon: str | None = "",
    help_text: str | None = None,
) -> None:
    """Draw a link to `page`, whose address gets `query_params`.

    `label` is Markdown; without it the link has the title of the page. `icon` is a Material name;
    when it is empty the link has the icon of the page, and with None no icon.
    """
    st.page_link(
        page.file,
        label=label or f":blue[{page.title}]",
        icon=None if icon is None else f":material/{icon or page.icon}:",
        help=help_text,
        query_params=dict(query_params or {}),
    )


def open_page(page: PageEntry, query_params: Mapping[str, str]) -> None:
    """End the run and open `page`, whose address gets `query_params`."""
    st.switch_page(page.file, query_params=dict(query_params))
