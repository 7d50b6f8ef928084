"""The dialog in which a person confirms something: every confirmation is one of these.

Whoever opens a dialog keeps in the session what is open, and describes the dialog in each run. So
it stays open until somebody answers it, and a second click on its button finds nothing open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from lib.domain.audit import LONGEST_REASON
from lib.domain.errors import DatabaseUnavailableError, PlanOutdatedError
from lib.streamlit_internals.elements import Container
from lib.ui.components import message
from lib.ui.components.skipped_users import render_small_table
from lib.wording.labels import HOLDINGS
from lib.wording.sentences import explain

UNCHANGED = "Nothing has changed yet."
_POLL = "400ms"


@dataclass(frozen=True, slots=True)
class DialogButton:
    """A button of a dialog. `click` is its callback, and the dialog is described anew after it.

    With `file` and `file_name` it is a download button, which has no callback: `file` does the
    work when somebody clicks. `icon` is the name of a Material icon.
    """

    label: str
    key: str
    click: Callable[[], None] | None = None
    icon: str = ""
    file: Callable[[], bytes] | None = None
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog as it is now.

    `title`, `about` (whom or what it is about, above the body) and `step` (which step it is, above
    the buttons) are Markdown. `body` draws what will happen, and tells whether the primary button
    can be pressed. `dismiss` is the callback when the person closes the dialog. With an `error`
    the dialog shows its sentence instead of the body, and `Close`. With `again` it shows `Look
    again` too, or `Try again` after an error of the database. `key` begins the keys of those two
    buttons.

    A download button sends no rerun. With `running` the dialog polls while that button can be
    pressed: as long as `running` returns a sentence, it stands beside the quiet button, which is
    disabled.
    """

    key: str
    title: str
    about: str
    body: Callable[[], bool]
    quiet: DialogButton
    primary: DialogButton
    dismiss: Callable[[], None]
    step: str = UNCHANGED
    error: Exception | None = None
    again: Callable[[], None] | None = None
    running: Callable[[], str] | None = None


def render_dialog(describe: Callable[[], Dialog | None]) -> None:
    """Draw the dialog that `describe` returns; nothing for None.

    `describe` is called again after each click in the dialog, which redraws the dialog alone. The
    browser changes the title of a dialog, and closes it, only when the whole page runs (Streamlit
    1.67). So another title, or no dialog any more, runs the page.
    """
    now = describe()
    if now:
        st.dialog(now.title, width="medium", on_dismiss=now.dismiss)(_draw)(describe, now.title)


def reason_field(key: str) -> None:
    """Draw the field for the reason; its text goes into the audit trail."""
    st.text_input(
        "Reason (optional)",
        key=key,
        max_chars=LONGEST_REASON,
        placeholder="For the audit trail, such as a ticket number",
    )


def _draw(describe: Callable[[], Dialog | None], title: str) -> None:
    with message.errors_shown():  # a dialog also runs by itself, without the frame of the page
        _draw_now(describe, title)


def _draw_now(describe: Callable[[], Dialog | None], title: str) -> None:
    now = describe()
    if now is None or now.title != title:
        st.rerun()
    if now.about:
        st.caption(now.about)
    if now.error:
        _draw_error(now, now.error)
        return
    ready = now.body()
    if now.step:
        st.caption(now.step)
    with _buttons():
        if now.running and ready:
            _watch_quiet_button(describe, title, "stretch")  # a fragment takes all the width
        else:
            _draw_quiet_button(describe, title, "content")
        _draw_button(now.primary, primary=True, ready=ready)


def _draw_quiet_button(
    describe: Callable[[], Dialog | None], title: str, width: Literal["stretch", "content"]
) -> None:
    """Draw what is being done, if anything, and the quiet button, which is then disabled.

    Run the page if the dialog has another title or an error now, or ended.
    """
    now = describe()
    if now is None or now.title != title or now.error:
        st.rerun()
    running = now.running() if now.running else ""
    with st.container(
        horizontal=True,
        horizontal_alignment="right",
        vertical_alignment="center",
        width=width,
    ):
        if running:
            st.caption(running, width="content")
        _draw_button(now.quiet, ready=not running)


# The download button is not in it: it must not be redrawn while it works.
_watch_quiet_button = st.fragment(run_every=_POLL)(_draw_quiet_button)


def _draw_error(now: Dialog, error: Exception) -> None:
    message.render_error(explain(error))
    _draw_changed_users(error)
    with _buttons():
        _draw_button(DialogButton("Close", f"{now.key}_close", now.dismiss))
        if now.again:
            words = "Try again" if isinstance(error, DatabaseUnavailableError) else "Look again"
            _draw_button(DialogButton(words, f"{now.key}_again", now.again), primary=True)


def _draw_button(button: DialogButton, *, primary: bool = False, ready: bool = True) -> None:
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    icon = f":material/{button.icon}:" if button.icon else None
    if button.file:
        st.download_button(
            button.label,
            data=button.file,
            file_name=button.file_name,
            mime="text/csv",
            on_click="ignore",
            type=kind,
            icon=icon,
            disabled=not ready,
            key=button.key,
        )
        return
    st.button(
        button.label,
        type=kind,
        icon=icon,
        on_click=button.click,
        disabled=not ready,
        key=button.key,
    )


def _buttons() -> Container:
    """Return the row for the buttons: first the quiet one, then the one that acts."""
    return st.container(horizontal=True, horizontal_alignment="right")


def _draw_changed_users(error: Exception) -> None:
    """Draw the users whose tokens changed since the plan; nothing for any other error."""
    if isinstance(error, PlanOutdatedError) and error.changed:
        render_small_table(
            pd.DataFrame(
                [(u.name, u.username, HOLDINGS[u.was], HOLDINGS[u.now]) for u in error.changed],
                columns=["Name", "Username", "Was", "Is now"],
            ),
            "Users whose tokens changed",
        )
