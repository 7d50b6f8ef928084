"""Off-boarding on a person's page: the plan, its confirmation, and its receipt."""

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.errors import DeskError
from lib.domain.operations import Receipt
from lib.domain.plural import counted
from lib.domain.roles import Permission
from lib.domain.states import Action
from lib.operations import off_boarding
from lib.operations.activity import PersonView
from lib.operations.off_boarding import OffBoarding
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, skipped_users
from lib.ui.navigation import activity_links
from lib.ui.session import OpenOffBoarding, session, set_value, value
from lib.wording.formats import either, plain
from lib.wording.labels import PENDING_ENDS
from lib.wording.sentences import explain, receipt_sentence

_REASON = "off_boarding_reason"
_ONLY_YOURS = "Only the organizations that you manage are covered."


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
    open_now = session().open_off_boarding
    if open_now and not open_now.receipts and _is_about(open_now, view.person.username):
        title = f"End all tokens of {plain(view.person.name)}?"
        st.dialog(title, width="medium", on_dismiss=_dismiss)(_dialog_body)(open_now)


def render_off_boarding_receipt() -> None:
    """Draw an error of the last step, and what the off-boarding did until `Done` is pressed."""
    remembered = session()
    if remembered.flash_error:
        st.error(remembered.flash_error, icon=":material/error:")
        remembered.flash_error = ""
    if remembered.open_off_boarding and remembered.open_off_boarding.receipts:
        _render_receipt(remembered.open_off_boarding)


def _render_receipt(done: OpenOffBoarding) -> None:
    plans = done.off_boarding.plans

    def draw(number: int, receipt: Receipt) -> None:
        scope = plans[number].scope
        place = f"{plain(scope.organization_name)} · {plain(scope.service_name)}"
        link = activity_links.operation_link(receipt.organization_id, receipt.operation_id)
        label = f"{receipt_sentence(receipt)} · {place}"
        activity_links.render_link(label, link, "link", f"left_{receipt.operation_id}")

    dialog.render_batch_receipt(
        done.receipts, _receipt_heading(done.receipts), draw, _dismiss, "off_boarding"
    )


def _is_about(open_now: OpenOffBoarding, username: str) -> bool:
    return open_now.off_boarding.person.username == username


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


def _dialog_body(open_now: OpenOffBoarding) -> None:
    planned = open_now.off_boarding
    st.caption(" · ".join(map(plain, filter(None, (planned.person.name, planned.person.username)))))
    if open_now.error:
        _render_error(open_now.error)
        return
    st.markdown(f"**{off_boarding_sentence(planned)}**")
    _table(planned)
    if not planned.everywhere:
        st.markdown(_ONLY_YOURS)
    dialog.reason_field(_REASON)
    st.caption("Nothing has changed yet.")
    with dialog.dialog_buttons():
        if st.button("Cancel", on_click=_dismiss, key="off_boarding_cancel"):
            st.rerun()
        if st.button("End them all", type="primary", on_click=_end, key="off_boarding_do"):
            st.rerun()


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


def _render_error(error: Exception) -> None:
    st.error(explain(error), icon=":material/error:")
    dialog.render_changed_users(error)
    with dialog.dialog_buttons():
        if st.button("Close", on_click=_dismiss, key="off_boarding_close"):
            st.rerun()
        if st.button("Look again", type="primary", on_click=_look_again, key="off_boarding_again"):
            st.rerun()


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
    with permissions.errors_as_flash():
        planned = off_boarding.plan_off_boarding(
            app_context().unit_of_work, permissions.current_user(), username
        )
        session().open_off_boarding = OpenOffBoarding(planned)


def _end() -> None:
    """Execute the plans. A second click finds no open confirmation and does nothing."""
    open_now = session().open_off_boarding
    if open_now is None or open_now.receipts:
        return
    try:
        open_now.receipts = off_boarding.off_board(
            app_context().unit_of_work,
            permissions.current_user(),
            open_now.off_boarding,
            reason=value(_REASON, ""),
        )
    except DeskError as error:
        open_now.error = error


def _look_again() -> None:
    open_now = session().open_off_boarding
    session().open_off_boarding = None
    if open_now:
        _plan(open_now.off_boarding.person.username)


def _dismiss() -> None:
    session().open_off_boarding = None
