"""One operation on Activity: its facts, its progress, and the result for each user."""

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.actions import action_name
from lib.domain.activity import ActivityRow, OperationFacts, ResultLine
from lib.domain.audit import EventAction
from lib.domain.errors import NotAllowedError
from lib.domain.plural import counted
from lib.domain.roles import Permission
from lib.domain.states import Action, ExistingTokens
from lib.operations import activity
from lib.operations.activity import OperationView
from lib.operations.results import may_download_results, results_download, results_file_name
from lib.ui.activity import event_table, keyset_pager
from lib.ui.activity.event_table import PAGE
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components.csv_download import render_csv_button
from lib.ui.components.definition_list import UNKNOWN, render_definitions
from lib.ui.components.filters import filter_row, search_field
from lib.ui.components.focus import render_focus
from lib.ui.components.message import render_message
from lib.ui.components.row_height import table_height
from lib.ui.navigation import activity_links, links, scope
from lib.ui.navigation.page_registry import TOKENS
from lib.ui.tokens import approvals
from lib.ui.undo import undo_dialog
from lib.wording.activity import (
    DELIVERY,
    PROGRESS,
    event_actor,
    event_label,
    event_reason,
    person_label,
)
from lib.wording.formats import clock_time, plain
from lib.wording.labels import EXISTING_TOKENS
from lib.wording.undo import operation_name

_RESULTS = "operation_results"
_SEARCH = "operation_search"
_SEPARATOR = "\n"  # between a sort key and a member's id; no sort key contains it


def render_operation(actor: Actor, reference: str) -> None:
    """Draw the operation `UTCJF1-<operation id>`, or a message that there is none."""
    organization_id, _, operation_id = reference.partition("-")
    view = _find(actor, organization_id, operation_id)
    if view is None:
        _render_no_operation()
        return
    asked_for = action_name(Action.GENERATE, _asked_users(view))
    st.header(operation_name(view.done) if view.done else asked_for, anchor=False)
    activity_links.render_back_link()
    render_message()
    undo_dialog.render_undo_receipt(actor, on_activity=True)
    sign = PROGRESS[view.progress]
    st.badge(sign.word, icon=sign.icon, color=sign.colour)
    approvals.render_approval(actor, view)
    render_definitions(_facts(view))
    _render_links(actor, view)
    if view.done:
        _render_undo(actor, view.done)
        _render_results(actor, view.done)
    if view.batch:
        _render_batch(view.batch)
    _render_events(view.events)
    render_focus()


def _find(actor: Actor, organization_id: str, operation_id: str) -> OperationView | None:
    """Return the operation; None if unknown, or not in the actor's organizations.

    The page does not tell these two apart; the audit trail records the refusal.
    """
    shared = app_context()
    try:
        return activity.open_operation(
            shared.engine, shared.clock, actor, organization_id, operation_id
        )
    except NotAllowedError:
        permissions.record_refusal(actor, Permission.ACTIVITY, organization_id)
        return None


def _render_no_operation() -> None:
    st.header("Activity", anchor=False)
    st.warning("There is no such operation.", icon=":material/search_off:")
    activity_links.render_back_link()


def _asked_users(view: OperationView) -> int:
    return view.asked.users if view.asked else 0


def _facts(view: OperationView) -> dict[str, str]:
    first = view.events[0] if view.events else None
    address = first.address if first else ""
    if view.done is None:
        return _asked_facts(view, address)
    done = view.done
    event = next((e for e in view.events if e.action.value == done.action.value), first)
    skipped = f", {done.skipped:,} skipped" if done.skipped else ""
    facts = {
        "Organization": f"{done.organization_name} · {done.organization_id}",
        "Service": done.service_name,
        "Who": person_label(done.actor, done.actor_name),
        "When": clock_time(done.confirmed_at),
        "From": event.address if event else "",
        "Users": f"{done.changed:,} changed{skipped}",
        "Reason": (event.reason if event else "") or (view.asked.reason if view.asked else ""),
    }
    if view.asked and view.asked.answered_by and view.asked.answered_at:
        facts["Approved"] = f"{view.asked.answered_by}, {clock_time(view.asked.answered_at)}"
    if done.existing_tokens is ExistingTokens.KEEP:
        facts["Existing tokens"] = EXISTING_TOKENS[done.existing_tokens]
    if done.csv_name:
        facts |= {
            "CSV file": done.csv_name,
            "CSV": DELIVERY[done.delivery].word if done.delivery else "",
            "SHA-256": done.csv_sha256,
        }
    return facts | {"Operation ID": done.operation_id}


def _asked_facts(view: OperationView, address: str) -> dict[str, str]:
    asked = view.asked
    if asked is None:
        return {}
    return {
        "Organization": f"{asked.organization_name} · {asked.organization_id}",
        "Service": asked.service_name,
        "Asked by": asked.requester,
        "When": clock_time(asked.asked_at),
        "From": address,
        "Users": counted(asked.users, "new token"),
        "Reason": asked.reason,
        "Operation ID": asked.operation_id,
    }


def _render_links(actor: Actor, view: OperationView) -> None:
    """Draw the links to the person who did it, and to the API tokens of the place."""
    place = view.done or view.asked
    username = view.done.actor if view.done else view.asked.requester if view.asked else ""
    if place is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="operation_links"):
        about = f"All about {plain(username)}"
        activity_links.render_link(
            about, activity_links.person_link(username), "person", "operation_actor"
        )
        if actor.may(Permission.READ, view.organization_id):
            links.page_link(TOKENS, scope.query_params(place.organization_id, place.service_id))


def _render_undo(actor: Actor, done: OperationFacts) -> None:
    """Draw `Undo` with until when, or why not; of an undo also the link to what it undid."""
    at = (done.organization_id, done.operation_id)
    if done.undoes:
        link = activity_links.operation_link(done.organization_id, done.undoes)
        activity_links.render_link("Open what was undone", link, "link", "operation_undone")
    state = undo_dialog.undo_state(actor, *at)
    if state:
        undo_dialog.render_undo_button(state, *at, on_activity=True)
    undo_dialog.render_undo_dialog()


def _render_results(actor: Actor, done: OperationFacts) -> None:
    """Draw the result for each user, 50 on a page; more than 50 users get a search."""
    st.subheader("Users", anchor=False)
    total = done.changed + done.skipped
    search = ""
    if total > PAGE:
        search = search_field("Search users", "Name, username or email", _SEARCH, 360, kept=False)
    made_from = (actor.username, done.operation_id, search)
    key, _, member_id = keyset_pager.page_start(_RESULTS, made_from).partition(_SEPARATOR)
    rows, more = activity.list_results(
        app_context().engine, actor, done, search, (key, member_id), PAGE
    )
    if rows:
        _results_table(rows)
    else:
        st.caption("No users match. Try fewer letters.")
    with st.container(horizontal=True, vertical_alignment="center", key="operation_foot"):
        st.caption(_range_text(len(rows), total, search), width="content")
        st.space("stretch")
        last = f"{rows[-1].sort_key}{_SEPARATOR}{rows[-1].member_id}" if more else ""
        keyset_pager.render_pager(_RESULTS, last, back="Previous", on="Next")
    with filter_row("operation_open"):
        people = {row.username: row.name for row in rows}
        event_table.open_person(people, "operation_open_person")
        if may_download_results(actor, done):
            file = results_download(app_context().unit_of_work, actor, done, total)
            render_csv_button(
                "Download results", file, results_file_name(done), "operation_download"
            )


def _range_text(shown: int, total: int, search: str) -> str:
    first = keyset_pager.pages_before(_RESULTS) * PAGE + 1
    these = f"{first:,}–{first + shown - 1:,}"
    if search.strip():
        return f"{these} of those that match" if shown else ""
    return f"{these} of {counted(total, 'user')}"


def _results_table(rows: list[ResultLine]) -> None:
    st.dataframe(
        pd.DataFrame(
            [(r.name, r.username, r.email, _result(r.result)) for r in rows],
            columns=["Name", "Username", "Email", "Result"],
        ),
        hide_index=True,
        row_height=34,
        height=table_height(len(rows), 9),
        placeholder=UNKNOWN,
        alt="What happened to each user",
        **activity_links.from_rows(
            "operation_results_table",
            [r.member_id for r in rows],
            [activity_links.person_link(r.username) for r in rows],
        ),
    )


def _result(result: str) -> str:
    return "Done" if result == "done" else f"Skipped: {result}"


def _render_batch(batch: list[OperationFacts]) -> None:
    with st.container(gap="xxsmall"):
        st.subheader("Done together with", anchor=False)
        for other in batch:
            name = action_name(other.action, other.changed + other.skipped)
            place = f"{plain(other.organization_name)} · {plain(other.service_name)}"
            link = activity_links.operation_link(other.organization_id, other.operation_id)
            activity_links.render_link(
                f"{plain(name)} · {place}", link, "link", f"batch_{other.operation_id}"
            )


def _render_events(events: list[ActivityRow]) -> None:
    """Draw the events of the operation: asked, approved, done, downloaded again."""
    st.subheader("Events", anchor=False)
    frame = pd.DataFrame(
        [(e.happened_at, event_actor(e), event_label(e), e.address, _note(e)) for e in events],
        columns=["When (UTC)", "Who", "What", "From", "Note"],
    )
    frame["When (UTC)"] = frame["When (UTC)"].astype("datetime64[ms]")
    st.dataframe(
        frame,
        hide_index=True,
        row_height=34,
        height=table_height(len(events), 9),
        column_config={"When (UTC)": event_table.event_times()},
        placeholder=UNKNOWN,
        alt="Events of this operation, oldest first",
    )


def _note(event: ActivityRow) -> str:
    return "" if event.action is EventAction.DOWNLOAD else event_reason(event) or event.detail
