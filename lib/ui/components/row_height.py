"""The height of a table in pixels, from the height of Streamlit's rows."""

ROW_HEIGHT = 34
_FRAME = 3


def table_height(rows: int, in_sight: int) -> int:
    """Return the height in pixels of a table that shows up to `in_sight` rows; more rows scroll."""
    return (min(rows, in_sight) + 1) * ROW_HEIGHT + _FRAME
