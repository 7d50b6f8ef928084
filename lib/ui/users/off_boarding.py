"""Off-boarding on a person's page: the plan, its confirmation, and its receipt."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.roles import Permission
from lib.domain.states import Action
from lib.operations import off_boarding
from lib.operations.off_boarding import OffBoarding
from lib.operations.users import PersonView
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message, skipped_users
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.components.receipt_box import render_batch_receipt
from lib.ui.navigation import activity_links
from lib.ui.session import page_state, set_value, value
from lib.wording.formats import either, plain
from lib.wording.labels import PENDING_ENDS
from lib.wording.sentences import receipt_sentence

_KEY, _REASON = "off_boarding", "off_boarding_reason"
_ONLY_YOURS = "Only the organizations that you manage are covered."


@dataclass
class _OpenOffBoarding:
    """An off-boarding: waiting for its confirmation, or done, with its receipts."""

    planned: OffBoarding
    error: Exception | None = None
    receipts: tuple[Receipt, ...] = ()


@dataclass
class _OffBoardingState:
    """What the page of a person remembers while it is open."""

    opened: _OpenOffBoarding | None = None


def render_off_boarding(actor: Actor, view: PersonView) -> None:
    """Draw the button if `actor` can end a token of the person, and the dialog while it is open."""
    ends = [t for t in view.live if actor.may(Permission.OFF_BOARD, t.organization_id)]
    if ends:
        st.button(
            "End all tokens and requests",
            icon=":material/person_remove:",
            on_click=_plan,
            args=(view.person.username,),
            key="off_boarding_begin",
        )
    dialog.render_dialog(lambda: _describe(view.person.username))


def render_off_boarding_receipt() -> None:
    """Draw what the off-boarding did, until `Done` is pressed."""
    done = page_state(_OffBoardingState).opened
    if done and done.receipts:
        _render_receipt(done)


def _render_receipt(done: _OpenOffBoarding) -> None:
    plans = done.planned.plans

    def draw(number: int, receipt: Receipt) -> None:
        scope = plans[number].scope
        place = f"{plain(scope.organization_name)} · {plain(scope.service_name)}"
        link = activity_links.operation_link(receipt.organization_id, receipt.operation_id)
        label = f"{receipt_sentence(receipt)} · {place}"
        activity_links.render_link(label, link, "link", f"left_{receipt.operation_id}")

    render_batch_receipt(done.receipts, _receipt_heading(done.receipts), draw, _dismiss, _KEY)


def off_boarding_sentence(planned: OffBoarding) -> str:
    """Return `3 tokens in 2 organizations stop working, 1 pending request … ends.`."""
    where = f" in {counted(planned.organizations, 'organization')}"
    tokens = either(planned.tokens, f"token{where} stops working|tokens{where} stop working")
    requests = either(planned.requests, PENDING_ENDS)
    if not planned.requests:
        return f"{tokens}."
    if not planned.tokens:
        return f"{requests}{where}."
    return f"{tokens}, {requests}."


def _describe(username: str) -> Dialog | None:
    """Return the confirmation while it is open and about this person."""
    opened = page_state(_OffBoardingState).opened
    if opened is None or opened.receipts or opened.planned.person.username != username:
        return None
    person = opened.planned.person
    return Dialog(
        _KEY,
        f"End all tokens of {plain(person.name)}?",
        " · ".join(map(plain, filter(None, (person.name, person.username)))),
        body=lambda: _draw_plans(opened.planned),
        quiet=DialogButton("Cancel", f"{_KEY}_cancel", _dismiss),
        primary=DialogButton("End them all", f"{_KEY}_do", _end),
        dismiss=_dismiss,
        error=opened.error,
        again=_look_again,
    )


def _draw_plans(planned: OffBoarding) -> bool:
    st.markdown(f"**{off_boarding_sentence(planned)}**")
    _table(planned)
    if not planned.everywhere:
        st.markdown(_ONLY_YOURS)
    dialog.reason_field(_REASON)
    return True


def _table(planned: OffBoarding) -> None:
    """Draw what ends: a row for each organization, service and kind of ending."""
    happens = {Action.REMOVE: "Token stops working", Action.CANCEL: "Pending ends"}
    lines = [
        (
            f"{plan.scope.organization_name} · {plan.scope.organization_id}",
            plan.scope.service_name,
            happens[plan.action],
        )
        for plan in planned.plans
    ]
    columns = ["Organization", "Service", "What happens"]
    skipped_users.render_small_table(pd.DataFrame(lines, columns=columns), "What ends")


def _receipt_heading(receipts: tuple[Receipt, ...]) -> str:
    tokens = sum(r.changed for r in receipts if r.action is Action.REMOVE)
    requests = sum(r.changed for r in receipts if r.action is Action.CANCEL)
    parts = [
        counted(tokens, "token") if tokens else "",
        counted(requests, "pending request") if requests else "",
    ]
    return f"{' and '.join(filter(None, parts))} ended"


def _plan(username: str) -> None:
    set_value(_REASON, "")
    with message.errors_as_message():
        planned = off_boarding.plan_off_boarding(
            app_context().unit_of_work, permissions.current_user(), username
        )
        page_state(_OffBoardingState).opened = _OpenOffBoarding(planned)


def _end() -> None:
    """Execute the plans. A second click finds no open confirmation and does nothing."""
    opened = page_state(_OffBoardingState).opened
    if opened is None or opened.receipts:
        return
    with message.errors_in(opened):
        opened.receipts = off_boarding.off_board(
            app_context().unit_of_work,
            permissions.current_user(),
            opened.planned,
            reason=value(_REASON, ""),
        )


def _look_again() -> None:
    opened = page_state(_OffBoardingState).opened
    _dismiss()
    if opened:
        _plan(opened.planned.person.username)


def _dismiss() -> None:
    page_state(_OffBoardingState).opened = None
