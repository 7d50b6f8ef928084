"""Choosing a row of a table, with the mouse or with Shift and Space."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lib.ui.session import value

_T = TypeVar("_T")


def selected_row(
    name: str, ids: Sequence[object], targets: Sequence[_T], choose: Callable[[_T], None]
) -> dict[str, Any]:
    """Return the arguments for st.dataframe that make a chosen row call `choose`.

    `targets` has one value for each row, in the order of the table; `choose` gets the value of the
    chosen row. Other `ids` give the table another key: a table whose rows change under the same
    key no longer reacts to keys or clicks (Streamlit 1.67).
    """
    key = f"{name}_{hash(tuple(ids))}"

    def choose_row() -> None:
        rows = value(key).selection.rows
        if rows and rows[0] < len(targets):
            choose(targets[rows[0]])

    return {"key": key, "on_select": choose_row, "selection_mode": "single-row"}
