"""The height of a table in pixels: Streamlit's own rows, as high as a line of text."""

ROW_HEIGHT = 34
_FRAME = 3


def table_height(rows: int, in_sight: int) -> int:
    """Return the height of a table; one of more `rows` than `in_sight` scrolls under its header."""
    return (min(rows, in_sight) + 1) * ROW_HEIGHT + _FRAME
