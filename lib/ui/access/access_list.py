"""The list of grants: search, table, pages, and the confirmation before one is revoked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from lib.domain.access import Actor, GrantRow
from lib.domain.plural import counted
from lib.domain.roles import Grant
from lib.domain.search import LONGEST_SEARCH, fold
from lib.operations import grants
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import dialog, message
from lib.ui.components.definition_list import DASH, day_text
from lib.ui.components.dialog import Dialog, DialogButton
from lib.ui.components.empty_state import render_empty_state
from lib.ui.components.filters import search_field
from lib.ui.session import page_state, set_value, value
from lib.wording.formats import plain
from lib.wording.labels import EVERYWHERE, ROLES

ROWS = 25
_SEARCH, _PAGE = "access_search", "access_page"
_PERSON, _ROLE, _WHERE, _GRANTED, _REVOKE = 220, 120, 250, 150, 80  # pixels
_TABLE = 885
_LONGEST = 34  # characters of a name; a longer one would take a third line


@dataclass
class _AccessState:
    """What the page remembers while it is open: the grant that would be revoked; empty: none."""

    revoking_grant_id: str = ""


def render_grants(actor: Actor, granted: Sequence[GrantRow]) -> None:
    """Draw the search and the grants that match, a page at a time."""
    search = search_field(
        "Search", "Name, username, role or organization", _SEARCH, 360, on_change=_go_to_first_page
    )
    found = _matching(granted, search)
    if not found:
        render_empty_state(
            "No grant matches",
            "Try fewer letters, or clear the search.",
            clear="Clear search",
            on_clear=_clear,
        )
        return
    pages = -(-len(found) // ROWS)
    page = min(int(value(_PAGE) or 1), pages)
    shown = found[(page - 1) * ROWS : page * ROWS]
    with st.container(key="access_table", gap="xsmall", width=_TABLE):
        _head()
        for row in shown:
            _row(row)
    _render_pager(len(found), len(granted), (page - 1) * ROWS, len(shown), pages)
    dialog.render_dialog(lambda: _describe(actor, granted))


def _matching(granted: Iterable[GrantRow], search: str) -> list[GrantRow]:
    """Return the grants that contain all words of `search`."""
    words = fold(search[:LONGEST_SEARCH]).split()
    return [row for row in granted if all(word in _searchable_text(row) for word in words)]


def _searchable_text(row: GrantRow) -> str:
    place = (row.organization_name or EVERYWHERE, row.organization_id or "")
    return fold(" ".join((row.name, row.username, ROLES[row.role], *place)))


def _head() -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.caption("Person", width=_PERSON)
        st.caption("Role", width=_ROLE)
        st.caption("Where", width=_WHERE)
        st.caption("Granted", width=_GRANTED)


def _row(row: GrantRow) -> None:
    inactive = "" if row.active else " :gray-badge[:material/block: Inactive]"
    by = plain(_short(row.granted_by)) or "on the command line"
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="top"):
        _cell(f"{plain(_short(row.name))}{inactive}", plain(_short(row.username)), _PERSON)
        _cell(ROLES[row.role], "", _ROLE)
        if row.organization_id is None:
            _cell(EVERYWHERE.capitalize(), "", _WHERE)
        else:
            name = plain(_short(row.organization_name or ""))
            _cell(name, plain(row.organization_id), _WHERE)
        _cell(day_text(row.granted_at), f"by {by}" if row.granted_by else by, _GRANTED)
        with st.container(width=_REVOKE):
            st.button(
                "Revoke",
                key=f"revoke_{row.grant_id}",
                type="tertiary",
                help=f"{ROLES[row.role]}, {plain(row.name)}",
                on_click=_open_confirmation,
                args=(row.grant_id,),
            )


def _cell(text: str, below: str, width: int) -> None:
    with st.container(width=width, gap=None):
        st.markdown(f":small[{text}]")
        if below:
            st.caption(below)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _render_pager(found: int, all_: int, before: int, shown: int, pages: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", width=_TABLE):
        hidden = f", {all_:,} in all" if found < all_ else ""
        st.caption(
            f"{before + 1:,}{DASH}{before + shown:,} of {counted(found, 'grant')}{hidden}",
            width="content",
        )
        st.space("stretch")
        if pages > 1:
            st.pagination(pages, max_visible_pages=5, key=_PAGE, persist_state="session")


def _describe(actor: Actor, granted: Iterable[GrantRow]) -> Dialog | None:
    """Return the confirmation while it is open and its grant exists."""
    revoking = page_state(_AccessState).revoking_grant_id
    row = next((row for row in granted if row.grant_id == revoking), None)
    if row is None:
        _dismiss()
        return None
    return Dialog(
        "access",
        f"Revoke {ROLES[row.role]}?",
        f"{plain(row.name)} · {plain(row.username)}",
        body=lambda: _draw_loss(actor, row),
        quiet=DialogButton("Keep it", "access_keep", _dismiss),
        primary=DialogButton("Revoke", "access_revoke", lambda: _revoke(row)),
        dismiss=_dismiss,
        step="",
    )


def _draw_loss(actor: Actor, row: GrantRow) -> bool:
    st.markdown(f"**{loss_sentence(row)}**")
    if row.username == actor.username:
        st.markdown("This is your own role: you may lose this page with it.")
    return True


def loss_sentence(row: GrantRow) -> str:
    """Return `Dana Nakano loses Support in all organizations at the next click.`, as Markdown."""
    place = f"{row.organization_name} · {row.organization_id}"
    where = plain(place) if row.organization_id else EVERYWHERE
    return f"{plain(row.name)} loses {ROLES[row.role]} in {where} at the next click."


# The callbacks of the buttons.


def _open_confirmation(grant_id: str) -> None:
    page_state(_AccessState).revoking_grant_id = grant_id


def _dismiss() -> None:
    page_state(_AccessState).revoking_grant_id = ""


def _revoke(row: GrantRow) -> None:
    _dismiss()
    wanted = [Grant(row.role, row.organization_id)]
    with message.errors_as_message():
        gone = grants.revoke(
            app_context().unit_of_work, permissions.current_user(), row.username, wanted
        )
        where = row.organization_id or EVERYWHERE
        lost = "is no longer" if gone else "was no longer"
        message.say(plain(f"{row.name} {lost} {ROLES[row.role]} in {where}."))


def _clear() -> None:
    set_value(_SEARCH, "")
    _go_to_first_page()


def _go_to_first_page() -> None:
    set_value(_PAGE, 1)
