"""The list of Activity: filters, events with the newest first, pages, and the empty states."""

from datetime import UTC, date, datetime, timedelta

import streamlit as st

from lib.domain.access import Actor
from lib.domain.activity import ActivityFilter, ActivityRow, Group
from lib.domain.clock import Moment, iso
from lib.domain.csv_writer import csv_bytes
from lib.domain.plural import counted
from lib.domain.roles import Permission
from lib.operations import activity, directory, users
from lib.operations.activity import LONGEST_EXPORT, Page, progress
from lib.operations.audited_download import audited_download
from lib.ui.activity import event_table, keyset_pager
from lib.ui.activity.event_table import PAGE
from lib.ui.app_context import AppContext, app_context
from lib.ui.components.csv_download import render_csv_button
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import choice, filter_row, search_field
from lib.ui.session import set_value, value
from lib.wording.activity import (
    KINDS,
    ONLY_EVERYWHERE,
    PROGRESS,
    event_actor,
    event_delivery,
    event_label,
    event_reason,
    person_label,
)
from lib.wording.formats import plain

CSV_HEADER = (
    "When",
    "Who",
    "Name",
    "From",
    "What",
    "Organization ID",
    "Organization",
    "Service",
    "About",
    "Users",
    "Skipped",
    "State",
    "Reason",
    "Detail",
    "Operation ID",
    "CSV",
)

_LIST = "activity"
_PEOPLE = 20
_FILE_NAME = "activity.csv"
_KIND, _ACTOR, _ABOUT = "activity_kind", "activity_actor", "activity_about"
_NAMES = (_ACTOR, _ABOUT)
_ORGANIZATION, _FROM, _TO = "activity_organization", "activity_from", "activity_to"


def activity_filters(actor: Actor) -> ActivityFilter | None:
    """Draw the filters and return their values; None if no person fits the typed name."""
    everywhere = actor.may(Permission.ACTIVITY)
    kinds = [kind for kind in KINDS if everywhere or kind not in ONLY_EVERYWHERE]
    with filter_row("activity_filter"):
        kind = choice("Show", {kind: KINDS[kind] for kind in kinds}, _KIND, 138)
        who = _chosen_person(actor, "Who did it", _ACTOR)
        about = _chosen_person(actor, "About whom", _ABOUT)
        organization_id = _chosen_organization(actor)
        since, until = _chosen_day("From", _FROM), _chosen_day("To", _TO)
    if who is None or about is None:
        return None
    return ActivityFilter(
        kind,
        organization_id=organization_id,
        since=_midnight(since) if since else None,
        until=_midnight(until + timedelta(days=1)) if until else None,
        actor=who,
        about=about,
    )


def render_activity_list(actor: Actor, wanted: ActivityFilter) -> None:
    """Draw the open page of the list, the pager, the selectboxes, and the CSV download."""
    before = keyset_pager.page_start(_LIST, (actor.username, wanted))
    page = activity.list_events(app_context().engine, actor, wanted, before=before, limit=PAGE)
    if not page.rows:
        render_no_activity(filtered=_is_filtered(wanted) or bool(before))
        return
    event_table.render_event_table(
        page.rows, app_context().clock(), "activity_table", "Activity, newest first"
    )
    with st.container(horizontal=True, vertical_alignment="center", key="activity_foot"):
        st.caption(_range_text(page), width="content")
        st.space("stretch")
        keyset_pager.render_pager(_LIST, page.rows[-1].event_id if page.older else "")
    with filter_row("activity_open"):
        event_table.open_operation(page.rows, "activity_open_operation")
        event_table.open_person(event_table.people_in(page.rows), "activity_open_person")
        if actor.may_somewhere(Permission.EXPORT):
            _offer_csv(app_context(), actor, wanted)


def render_no_activity(*, filtered: bool) -> None:
    """Draw the empty state: nothing matches, or nothing was done yet; and what to do next."""
    if filtered:
        _render_no_match(
            "Nothing matches",
            "Choose another kind, person, organization or time, or clear the filters.",
        )
    else:
        render_empty_state(
            "No activity yet",
            "Each action on an organization's API tokens is listed here, newest first.",
        )


def render_unknown_person() -> None:
    """Draw the empty state for a typed name that no person has."""
    typed = " and ".join(f"“{plain(text[:60])}”" for key in _NAMES if (text := value(key)))
    _render_no_match(
        "No such person", f"No name or username here contains {typed}. Try fewer letters."
    )


def _render_no_match(title: str, advice: str) -> None:
    render_empty_state(title, advice, clear="Clear filters", on_clear=_clear, key="activity_clear")


def activity_csv(shared: AppContext, actor: Actor, wanted: ActivityFilter) -> bytes:
    """Return the newest events that match, as a CSV file in UTF-8. It contains no secret."""
    now = shared.clock()
    rows = activity.export_events(shared.engine, actor, wanted)
    return csv_bytes(CSV_HEADER, (_line(row, now) for row in rows))


def _line(row: ActivityRow, now: Moment) -> tuple[str, ...]:
    state = progress(row, now)
    return (
        iso(row.happened_at),
        event_actor(row),
        row.actor_name,
        row.address,
        event_label(row),
        row.organization_id,
        row.organization_name,
        row.service_name or row.service_id,
        row.subject,
        str(row.users) if row.users else "",
        "" if row.skipped is None else str(row.skipped),
        PROGRESS[state].word if state else "",
        event_reason(row),
        row.detail,
        row.operation_id,
        event_delivery(row),
    )


def _offer_csv(shared: AppContext, actor: Actor, wanted: ActivityFilter) -> None:
    def make() -> bytes:
        return activity_csv(shared, actor, wanted)

    file = audited_download(shared.unit_of_work, actor, Permission.EXPORT, _FILE_NAME, make)
    render_csv_button(
        "Download as CSV",
        file,
        _FILE_NAME,
        "activity_download",
        help_text=f"All events that match, up to the newest {LONGEST_EXPORT:,}.",
    )


def _chosen_organization(actor: Actor) -> str:
    """Draw the selectbox of organizations; return the chosen id, empty for any."""
    names = directory.organization_names(app_context().engine, actor)
    options = {"": "Any"} | {one: f"{name} · {one}" for one, name in names.items()}
    return choice("Organization", options, _ORGANIZATION, 146)


def _chosen_person(actor: Actor, label: str, key: str) -> str | None:
    """Draw a search field; return the username that its text means, empty without a text.

    Several who fit are offered in a selectbox. None if nobody fits.
    """
    search = search_field(label, "Any user", key, 136).strip()
    if not search:
        return ""
    found = users.find_people(app_context().engine, actor, search, _PEOPLE)
    people = {person.username: person for person in found}
    if len(people) <= 1:
        return next(iter(people), None)
    more = f", the first {_PEOPLE}" if len(people) == _PEOPLE else ""
    username = st.selectbox(
        f"{label}: which of {len(people)}{more}",
        list(people),
        key=f"{key}_which",
        format_func=lambda one: person_label(one, people[one].name) if one in people else one,
        width=250,
    )
    return username if username in people else None


def _chosen_day(label: str, key: str) -> date | None:
    day = st.date_input(label, value=None, key=key, width=122, persist_state="session")
    return day if isinstance(day, date) else None


def _midnight(day: date) -> Moment:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


def _range_text(page: Page) -> str:
    """Return which events are shown; the total is unknown, because nothing counts it."""
    first = keyset_pager.pages_before(_LIST) * PAGE + 1
    last = first + len(page.rows) - 1
    if first > 1:
        return f"{first:,}–{last:,} from the newest"
    return f"The newest {last:,}" if page.older else f"{counted(last, 'event')}, newest first"


def _is_filtered(wanted: ActivityFilter) -> bool:
    return wanted != ActivityFilter()


def _clear() -> None:
    set_value(_KIND, Group.OPERATIONS)
    for key in (*_NAMES, _ORGANIZATION):
        set_value(key, "")
    for key in (_FROM, _TO):
        set_value(key, None)
