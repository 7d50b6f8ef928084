"""The button that downloads a CSV file; the audit trail has each download."""

from collections.abc import Callable

import streamlit as st


def render_csv_button(
    label: str, file: Callable[[], bytes], file_name: str, key: str, *, help_text: str | None = None
) -> None:
    """Draw the button. `file` makes the bytes at each click, and records the download.

    It is what `audited_download`, `results_download` and `MintingDownload` are.
    """
    st.download_button(
        label,
        data=file,
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help=help_text,
        key=key,
    )
