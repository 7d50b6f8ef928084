"""The type of a part of a page: `st.container` returns one, and its public side has no name."""

from streamlit.delta_generator import DeltaGenerator as Container

__all__ = ["Container"]
