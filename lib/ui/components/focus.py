"""Where the keyboard's focus goes after a click: Streamlit leaves it on the body of the page.

A script inside the HTML of a component runs when its SHA-256 is in the content security policy; a
script of its own (`js=`) is loaded from a blob, which the policy refuses (Streamlit 1.67). So each
target has a script that never changes.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

from lib.ui.session import new_number, page_state


class Target(StrEnum):
    """What gets the focus, as the selector of the element."""

    NUMBER = '[role="dialog"] .st-key-confirm_typed input'
    RECEIPT = ".st-key-tokens_receipt, .st-key-undo_receipt"
    ACTIONS = ".st-key-tokens_actions input"
    UNDO = ".st-key-undo_begin button"


# The dialog sets the focus too, when it opens and closes, so the target must keep it for a moment.
# A key or a click of the person ends the attempt. A receipt is made focusable, as a region.
_SCRIPT = """(() => {
  const until = Date.now() + 4000
  let held = 0, free = false
  const stop = () => { free = true }
  for (const kind of ['pointerdown', 'keydown'])
    addEventListener(kind, stop, { capture: true, once: true })
  const look = () => {
    const target = document.querySelector(SELECTOR)
    if (free || held > 8 || Date.now() > until) return
    if (target && target.tabIndex < 0 && !target.role) {
      target.tabIndex = -1
      target.role = 'region'
      target.ariaLabel = 'Receipt'
    }
    if (target && document.activeElement === target) held += 1
    else if (target) { held = 0; target.focus() }
    setTimeout(look, 50)
  }
  look()
})()"""


@dataclass
class _FocusState:
    """What gets the focus in the next run."""

    target: Target | None = None


def focus_on(target: Target) -> None:
    """Give the focus to `target` in the next run. Call it in a callback."""
    page_state(_FocusState).target = target


def render_focus() -> None:
    """Draw the script that sets the focus, if a callback has asked for it. Call it last."""
    wanted = page_state(_FocusState)
    target, wanted.target = wanted.target, None
    if target:
        html = f"<script>{_script(target)}</script>"
        st.components.v2.component(f"focus_{target.name.lower()}", html=html)(
            key=f"focus_{new_number()}"  # a new key runs the script again
        )


def script_digests() -> list[str]:
    """Return `sha256-…` of each script, for the content security policy."""
    digests = (hashlib.sha256(_script(target).encode()).digest() for target in Target)
    return [f"sha256-{base64.b64encode(digest).decode()}" for digest in digests]


def _script(target: Target) -> str:
    return _SCRIPT.replace("SELECTOR", f"`{target.value}`")
