"""Choosing a row of a table, with the mouse or by Shift and Space."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lib.ui.session import value

_T = TypeVar("_T")


def selected_row(
    name: str, ids: Sequence[object], meant: Sequence[_T], choose: Callable[[_T], None]
) -> dict[str, Any]:
    """Return what st.dataframe takes so that a chosen row calls `choose` with what it means.

    `meant` holds the rows as they are drawn. Other `ids` make another table: one whose rows change
    under its key takes neither a key nor a click any more (Streamlit 1.67).
    """
    key = f"{name}_{hash(tuple(ids))}"

    def choose_row() -> None:
        rows = value(key).selection.rows
        if rows and rows[0] < len(meant):
            choose(meant[rows[0]])

    return {"key": key, "on_select": choose_row, "selection_mode": "single-row"}
