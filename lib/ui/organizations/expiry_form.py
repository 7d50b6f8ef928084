"""The expiry of new tokens on the License page; API administrators set it there."""

import streamlit as st

from lib.domain.access import Actor
from lib.domain.directory import Subscription
from lib.domain.expiry import ExpiryPolicy
from lib.domain.plural import counted
from lib.domain.roles import Permission
from lib.operations import policies
from lib.operations.policies import FEWEST_DAYS, MOST_DAYS
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message
from lib.ui.components.filters import filter_row
from lib.ui.navigation.scope import OpenScope
from lib.ui.session import value
from lib.wording.formats import plain


def render_expiry_form(here: OpenScope, subscription: Subscription) -> None:
    """Draw the expiry of new tokens here, and the form for those who may change it."""
    place = (subscription.organization_id, subscription.service_id)
    policy = policies.read_policy(app_context().engine, here.actor, *place)
    st.subheader("Expiry", anchor=False)
    st.markdown(_sentence(policy))
    message.render_message(width=730)
    if here.actor.may(Permission.POLICY, subscription.organization_id):
        _form(here.actor, subscription, policy)


def _form(actor: Actor, subscription: Subscription, policy: ExpiryPolicy) -> None:
    everywhere = actor.may(Permission.POLICY)
    name = plain(subscription.service_name)
    with (
        st.form("license_expiry", border=False),
        filter_row("license_row"),
    ):
        keys = _keys(subscription, policy)
        _days("Days in this organization", keys[0], policy.organization_days)
        if everywhere:
            _days(f"Days for {name}, everywhere", keys[1], policy.service_days)
        st.form_submit_button(
            "Save", on_click=_save, args=(subscription, policy), key="license_save"
        )
    st.caption("Existing tokens keep their expiry. An empty field means no limit.")


def _days(label: str, key: str, days: int | None) -> None:
    # Not as the field's `value`: Streamlit would return to it when somebody empties the field.
    st.session_state.setdefault(key, days)
    st.number_input(
        label,
        min_value=FEWEST_DAYS,
        max_value=MOST_DAYS,
        value=None,
        step=1,
        key=key,
        placeholder="No limit",
        width=230,
    )


def _keys(subscription: Subscription, policy: ExpiryPolicy) -> tuple[str, str]:
    """Return the keys of the two fields; another place or another policy has other keys.

    Streamlit keeps the value of a field of the same key, whatever value the code gives it.
    """
    return (
        f"license_organization_{subscription.organization_id}_{policy.organization_days}",
        f"license_service_{subscription.service_id}_{policy.service_days}",
    )


def _sentence(policy: ExpiryPolicy) -> str:
    if policy.days is None:
        return "New tokens do not expire."
    whose = "this organization" if policy.days == policy.organization_days else "the service"
    return f"New tokens expire after **{counted(policy.days, 'day')}**, the limit of {whose}."


def _save(subscription: Subscription, policy: ExpiryPolicy) -> None:
    """Write the limits that differ from those on the page."""
    unit_of_work = app_context().unit_of_work
    organization_id, service_id = subscription.organization_id, subscription.service_id
    in_organization, everywhere = _keys(subscription, policy)
    wanted = ExpiryPolicy(
        value(everywhere, policy.service_days),
        value(in_organization, policy.organization_days),
    )
    with message.errors_as_message():
        actor = permissions.current_user()
        if wanted.organization_days != policy.organization_days:
            policies.set_organization_policy(
                unit_of_work, actor, organization_id, wanted.organization_days
            )
        if wanted.service_days != policy.service_days:
            policies.set_service_policy(unit_of_work, actor, service_id, wanted.service_days)
        message.say("Saved. It applies to tokens made from now on.")
