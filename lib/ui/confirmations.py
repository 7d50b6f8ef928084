"""The confirmations: one for most actions, two for Generate & Export.

Which one is open is a fact of the session, so a dialog is drawn on each run until it is answered.
"""

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib.domain.errors import DeskError, PlanOutdated
from lib.domain.plan import Plan
from lib.domain.states import Action
from lib.operations.actions import carry_out
from lib.operations.delivery import Delivery
from lib.operations.vault import VaultKey
from lib.ui import action_bar, skipped
from lib.ui.desk import desk
from lib.ui.session import Confirming, Done, Step, session, session_id
from lib.ui.wording import (
    HOLDINGS,
    action_name,
    count,
    either,
    explain,
    plain,
    plan_details,
    plan_sentence,
)

_POLL = "400ms"
_TYPED = "confirm_typed"


def show() -> None:
    """Draw the open confirmation, if there is one here."""
    confirming = session().confirming
    if confirming is None or not _is_here(confirming.plan):
        return
    if _settled(confirming):
        st.rerun()
    st.dialog(_title(confirming), width="medium", on_dismiss=_dismiss)(_body)(confirming)


def _is_here(plan: Plan) -> bool:
    """Tell whether it is this person's, in this place: a mint outlives leaving the page."""
    place = session().place
    here = (session().username, place.organization_id, place.service_id)
    return here == (plan.actor, plan.scope.organization_id, plan.scope.service_id)


def _title(confirming: Confirming) -> str:
    counts = confirming.plan.preview
    if confirming.step is Step.FIRST or confirming.error:
        return action_name(confirming.plan.action, counts.selected)
    if counts.tokens_ending:
        return f"Replace {either(counts.tokens_ending, 'working token|working tokens')}?"
    return f"Generate {count(counts.changed, 'token')}?"


def _body(confirming: Confirming) -> None:
    scope = confirming.plan.scope
    place = (scope.organization_name, scope.organization_id, scope.service_name)
    st.caption(" · ".join(map(plain, place)))
    if confirming.error:
        _failure(confirming.error)
    elif confirming.step is Step.FIRST:
        _first(confirming)
    else:
        _second(confirming)


def _first(confirming: Confirming) -> None:
    plan = confirming.plan
    st.markdown(f"**{plan_sentence(plan)}**")
    details = plan_details(plan)
    if details:
        st.markdown("\n".join(f"- {detail}" for detail in details))
    if plan.preview.skipped:
        st.markdown("**Skipped**")
        skipped.show(plan.preview.skipped)
    exports = plan.action is Action.GENERATE
    st.caption(f"{'Step 1 of 2. ' if exports else ''}Nothing has changed yet.")
    with _buttons():
        if st.button("Cancel", on_click=_dismiss, key="confirm_cancel"):
            st.rerun()
        nobody = not plan.preview.changed
        if exports:
            go = st.button(
                "Continue", type="primary", on_click=_continue, disabled=nobody, key="confirm_next"
            )
        else:
            go = st.button(
                "Confirm", type="primary", on_click=_confirm, disabled=nobody, key="confirm_do"
            )
        if go:
            st.rerun()


def _second(confirming: Confirming) -> None:
    """Ask for a deliberate act; the confirming button is the download itself."""
    counts = confirming.plan.preview
    delivery = _delivery(confirming)
    if counts.tokens_ending:
        st.markdown(
            "The existing tokens of these users **stop working at once**. Whatever still sends an "
            "old token is refused until it has the new one."
        )
    st.markdown(
        f"The CSV is the only place where the {count(counts.changed, 'new token')} can be read. "
        "Keep it like a password."
    )
    typed = st.text_input(
        f"Type {counts.changed} to confirm", key=_TYPED, width=260, live=True, max_chars=12
    )
    meant = (typed or "").strip().replace(",", "") == str(counts.changed)
    st.caption("Step 2 of 2. Nothing has changed yet.")
    with _buttons():
        if st.button("Back", on_click=_back, key="confirm_back"):
            st.rerun()
        st.download_button(
            "Replace tokens and download CSV",
            data=delivery,
            file_name=confirming.plan.csv_name,
            mime="text/csv",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
            disabled=not meant,
            key="confirm_download",
        )
    if meant:
        _wait_for(confirming)


@st.fragment(run_every=_POLL)
def _wait_for(confirming: Confirming) -> None:
    """Look for the end of the operation, which runs in a thread that cannot call Streamlit."""
    if _settled(confirming):
        st.rerun()


def _settled(confirming: Confirming) -> bool:
    """Move on when the delivery is over: to the receipt, or to what went wrong."""
    delivery = confirming.delivery
    if delivery is None or not delivery.over or confirming.error:
        return False
    if delivery.receipt:
        _finish(Done(delivery.receipt, delivery))
    else:
        confirming.error = delivery.error
    return True


def _finish(done: Done) -> None:
    remembered = session()
    remembered.confirming = None
    remembered.done = done
    remembered.select(set())


def _failure(error: Exception) -> None:
    st.error(explain(error), icon=":material/error:")
    if isinstance(error, PlanOutdated):
        skipped.table(
            pd.DataFrame(
                [(u.name, u.username, HOLDINGS[u.was], HOLDINGS[u.now]) for u in error.changed],
                columns=["Name", "Username", "Was", "Is now"],
            ),
            "Users whose tokens changed",
        )
    with _buttons():
        if st.button("Close", on_click=_close, key="confirm_close"):
            st.rerun()
        if st.button("Look again", type="primary", on_click=_look_again, key="confirm_again"):
            st.rerun()


def _buttons() -> DeltaGenerator:
    return st.container(horizontal=True, horizontal_alignment="right")


def _delivery(confirming: Confirming) -> Delivery:
    if confirming.delivery is None:
        shared, plan = desk(), confirming.plan
        key = VaultKey(session_id(), plan.actor, plan.operation_id)
        confirming.delivery = Delivery(
            shared.engine, shared.clock, shared.minting, shared.vault, key, plan
        )
    return confirming.delivery


def _continue() -> None:
    confirming = session().confirming
    if confirming:
        confirming.step = Step.SECOND


def _back() -> None:
    confirming = session().confirming
    if confirming and not confirming.minting:
        confirming.step = Step.FIRST


def _confirm() -> None:
    """Carry out the frozen plan; a second click finds nothing open and does nothing."""
    confirming = session().confirming
    if confirming is None or confirming.plan.action is Action.GENERATE:
        return
    shared = desk()
    try:
        outcome = carry_out(shared.engine, shared.clock, confirming.plan, shared.minting)
    except DeskError as error:
        confirming.error = error
        return
    _finish(Done(outcome.receipt))


def _dismiss() -> None:
    """Close the dialog with nothing done. Once the mint has begun, its end is awaited instead."""
    confirming = session().confirming
    if confirming and not confirming.minting:
        session().confirming = None


def _close() -> None:
    session().confirming = None


def _look_again() -> None:
    confirming = session().confirming
    if confirming:
        scope = confirming.plan.scope
        session().confirming = None
        action_bar.plan(confirming.plan.action, scope.organization_id, scope.service_id)
