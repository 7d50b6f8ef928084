"""What the last step did, or why it did nothing: one message, shown once by the next run.

Its text is Markdown: whoever makes it escapes the names in it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import streamlit as st

from lib.domain.errors import DeskError
from lib.ui.session import page_state
from lib.wording.sentences import explain

_log = logging.getLogger(__name__)
_Kind: TypeAlias = Literal["success", "info", "error"]
_Width: TypeAlias = int | Literal["stretch"]


@dataclass
class _Message:
    """The message for the next run; an empty text for none."""

    text: str = ""
    kind: _Kind = "success"


class CanFail(Protocol):
    """An open dialog that keeps the error of its last click."""

    error: Exception | None


def say(text: str) -> None:
    """Say in the next run what was done."""
    _keep(text, "success")


def note(text: str) -> None:
    """Say in the next run what somebody should know, without praise."""
    _keep(text, "info")


def refuse(text: str) -> None:
    """Say in the next run why nothing was done. `text` has no input of a person: it is logged."""
    _log.warning("refused: %s", text)
    _keep(text, "error")


def clear() -> None:
    """Say nothing in the next run."""
    _keep("", "success")


def render_message(*, width: _Width = "stretch") -> None:
    """Draw the message, if there is one, and forget it. `width` is in pixels."""
    kept = page_state(_Message)
    if not kept.text:
        return
    if kept.kind == "error":
        render_error(kept.text, width=width)
    elif kept.kind == "info":
        st.info(kept.text, icon=":material/info:", width=width)
    else:
        st.success(kept.text, icon=":material/check_circle:", width=width)
    clear()


def render_error(text: str, *, width: _Width = "stretch") -> None:
    """Draw an error, wherever it stands: its sentence is Markdown."""
    st.error(text, icon=":material/error:", width=width)


@contextmanager
def errors_shown(below: Callable[[DeskError], None] | None = None) -> Iterator[None]:
    """Show an error of ours as a sentence instead of a traceback, and end the page.

    `below` draws what stays on the page nevertheless.
    """
    try:
        yield
    except DeskError as error:
        _log.warning("refused: %s", error.code)
        render_error(explain(error))
        if below:
            below(error)
        st.stop()


@contextmanager
def errors_as_message() -> Iterator[None]:
    """For callbacks, which cannot draw: an error of ours becomes the message of the next run."""
    try:
        yield
    except DeskError as error:
        _log.warning("refused: %s", error.code)
        _keep(explain(error), "error")


@contextmanager
def errors_in(opened: CanFail) -> Iterator[None]:
    """For callbacks of a dialog: the dialog keeps an error of ours, and shows it."""
    try:
        yield
    except DeskError as error:
        _log.warning("refused: %s", error.code)
        opened.error = error


def _keep(text: str, kind: _Kind) -> None:
    kept = page_state(_Message)
    kept.text, kept.kind = text, kind
