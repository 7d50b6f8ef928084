"""Undo of an operation: the button, the confirmation with its preview, and the receipt.

The tokens page has the button on a receipt, and Activity on the page of an operation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from lib.domain.access import Actor
from lib.domain.operations import Receipt
from lib.domain.roles import Permission
from lib.domain.undo import UndoRefusal, UndoState
from lib.domain.undo_plan import UndoPlan
from lib.operations.undo import plan_undo, read_undo_state, undo
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message, skipped_users
from lib.ui.components.consequence import render_consequence
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.components.focus import Target, focus_on
from lib.ui.components.receipt_box import receipt_box
from lib.ui.navigation import activity_links, links
from lib.ui.navigation.page_registry import ACTIVITY
from lib.ui.session import page_state, set_value, value
from lib.wording.formats import clock_time, either, plain
from lib.wording.undo import (
    DID_RESTORE,
    undo_details,
    undo_place,
    undo_sentence,
    undo_state_sentence,
    undo_title,
)

_KEY, _REASON = "undo", "undo_reason"


@dataclass
class _OpenUndo:
    """An undo whose confirmation is open. `done` is called after it was executed."""

    plan: UndoPlan
    done: Callable[[], None] | None
    error: Exception | None = None


@dataclass
class _UndoDialogState:
    """What the page remembers: the open confirmation, or the receipts of the last undo."""

    opened: _OpenUndo | None = None
    receipts: tuple[Receipt, ...] = ()


def undo_state(actor: Actor, organization_id: str, operation_id: str) -> UndoState | None:
    """Return whether an operation can be undone; None for an actor who may not see operations."""
    if not actor.may(Permission.ACTIVITY, organization_id):
        return None
    return read_undo_state(app_context().unit_of_work, actor, organization_id, operation_id)


def render_undo_button(
    state: UndoState,
    organization_id: str,
    operation_id: str,
    done: Callable[[], None] | None = None,
    *,
    on_activity: bool = False,
) -> None:
    """Draw `Undo`, which is disabled where the operation cannot be undone, and why or until when.

    `done` is called in the callback that has undone the operation. `on_activity` tells whether the
    open page is Activity, whose own links are buttons.
    """
    with st.container(horizontal=True, vertical_alignment="center", key=f"{_KEY}_row"):
        st.button(
            "Undo …",
            icon=":material/undo:",
            on_click=_plan,
            args=(organization_id, operation_id, done),
            disabled=bool(state.refusal) or not state.allowed,
            key=f"{_KEY}_begin",
        )
        st.caption(undo_state_sentence(state), width="content")
        if state.refusal is UndoRefusal.UNDONE and state.undone_by:
            _render_link("Open the undo", organization_id, state.undone_by, on_activity)


def render_undo_dialog() -> None:
    """Draw the confirmation while it is open."""
    dialog.render_dialog(_describe)


def render_undo_receipt(actor: Actor, *, on_activity: bool = False) -> None:
    """Draw what the last undo did, until `Done` is pressed.

    `on_activity` is that of `render_undo_button`.
    """
    receipts = page_state(_UndoDialogState).receipts
    if not receipts:
        return
    restored = sum(receipt.changed for receipt in receipts)
    skipped = tuple(user for receipt in receipts for user in receipt.skipped)
    first = receipts[0]
    with receipt_box(either(restored, DID_RESTORE), close_receipt, _KEY):
        st.markdown(f":small[{clock_time(first.confirmed_at)} by {plain(first.actor)}.]")
        skipped_users.render_skipped(skipped)
        if actor.may(Permission.ACTIVITY, first.organization_id):
            at = (first.organization_id, first.operation_id)
            _render_link("Open it on Activity", *at, on_activity)


def close_receipt() -> None:
    """Close the receipt of the last undo."""
    page_state(_UndoDialogState).receipts = ()


def _render_link(
    label: str,
    organization_id: str,
    operation_id: str,
    on_activity: bool,  # noqa: FBT001 - private, and passed on
) -> None:
    link = activity_links.operation_link(organization_id, operation_id)
    if on_activity:
        activity_links.render_link(label, link, "arrow_forward", f"{_KEY}_{label}")
        return
    links.page_link(ACTIVITY, link, label=f":blue[{label}]", icon="arrow_forward")


def _describe() -> Dialog | None:
    opened = page_state(_UndoDialogState).opened
    if opened is None:
        return None
    restored = opened.plan.preview.restored
    return Dialog(
        _KEY,
        undo_title(opened.plan),
        undo_place(opened.plan),
        body=lambda: _draw_preview(opened.plan),
        quiet=DialogButton("Cancel", f"{_KEY}_cancel", _close),
        primary=DialogButton(
            f"Undo for {either(restored, 'user|users')}", f"{_KEY}_do", _undo, icon="undo"
        ),
        dismiss=_close,
        step=f"{dialog.UNCHANGED} An undo cannot be undone.",
        error=opened.error,
        again=_look_again,
    )


def _draw_preview(plan: UndoPlan) -> bool:
    counts = plan.preview
    render_consequence(counts.tokens_ending, counts.requests_ending)
    st.markdown(f"**{undo_sentence(counts)}**")
    details = undo_details(counts)
    if details:
        st.markdown("\n".join(f"- {detail}" for detail in details))
    skipped_users.render_skipped(counts.skipped, ": they keep what they have now")
    dialog.reason_field(_REASON)
    return bool(counts.restored)


# The callbacks of the buttons.


def _plan(organization_id: str, operation_id: str, done: Callable[[], None] | None) -> None:
    """Plan the undo and open its confirmation. An error of ours becomes a message."""
    state = page_state(_UndoDialogState)
    state.opened, state.receipts = None, ()
    set_value(_REASON, "")
    with message.errors_as_message():
        actor = permissions.current_user()
        plan = plan_undo(app_context().unit_of_work, actor, organization_id, operation_id)
        state.opened = _OpenUndo(plan, done)


def _undo() -> None:
    """Execute the plan. A second click finds no open confirmation and does nothing."""
    state = page_state(_UndoDialogState)
    opened = state.opened
    if opened is None:
        return
    with message.errors_in(opened):
        state.receipts = undo(
            app_context().unit_of_work,
            permissions.current_user(),
            opened.plan,
            reason=value(_REASON, ""),
        )
        state.opened = None
        if opened.done:
            opened.done()
        focus_on(Target.RECEIPT)


def _look_again() -> None:
    opened = page_state(_UndoDialogState).opened
    if opened:
        undone = opened.plan.parts[0].undone
        _plan(undone.organization_id, undone.operation_id, opened.done)


def _close() -> None:
    page_state(_UndoDialogState).opened = None
    focus_on(Target.UNDO)
