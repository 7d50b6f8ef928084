"""The form that grants a role, and the table of what each role may do."""

from collections.abc import Iterable, Sequence

import pandas as pd
import streamlit as st

from lib.domain.access import Actor
from lib.domain.plural import counted
from lib.domain.roles import PERMISSIONS, Grant, Permission, Role, covers, reach
from lib.operations import directory, grants
from lib.ui.app_context import app_context
from lib.ui.auth import permissions
from lib.ui.components import message
from lib.ui.components.definition_list import DASH
from lib.ui.components.filters import filter_row
from lib.ui.session import set_value, value
from lib.wording.formats import plain
from lib.wording.labels import EVERYWHERE, PERMISSION_WORDS, ROLES

_USERNAME, _ROLE, _WHERE = "access_username", "access_role", "access_where"
RESULTS = "Download the results of an operation"
_TICK = ":green[✓]"
_ALL = ""  # stands for all organizations among the ids
_FEW = 3  # organizations that a sentence names
WIDTH = 885


def render_grant_form(actor: Actor) -> None:
    """Draw the form; it offers the organizations where the actor may grant."""
    places = _places(actor)
    with (
        st.form("access_form", border=False, width=WIDTH),
        filter_row("access_row"),
    ):
        st.text_input("Username", key=_USERNAME, width=200, placeholder="As the directory has it")
        st.selectbox(
            "Role",
            list(Role),
            index=None,
            key=_ROLE,
            width=180,
            format_func=ROLES.__getitem__,
            placeholder="Choose a role",
        )
        st.multiselect(
            "Where",
            list(places),
            key=_WHERE,
            width=360,
            format_func=lambda place: places.get(place, place),
            placeholder="Organizations, or all of them",
        )
        st.form_submit_button("Grant", type="primary", on_click=_grant)


def render_role_table() -> None:
    """Draw what each role may do, from the same table that operations check."""
    with st.container(gap="xxsmall"):
        st.subheader("What each role may do", anchor=False)
        st.caption(
            "A role applies to the organizations it is granted for. Everybody can manage their own "
            "tokens without a role. A change takes effect at the person's next click."
        )
    frame = pd.DataFrame({ROLES[role]: _role_column(role) for role in Role})
    st.table(frame, border="horizontal", width=WIDTH)


def _role_column(role: Role) -> dict[str, str]:
    """Return what a role may do, by what is to be done; the last line is ruling 11."""
    held = PERMISSIONS[role]
    signs = {PERMISSION_WORDS[each]: _TICK if each in held else DASH for each in Permission}
    own = "Own operations" if Permission.ACTIVITY in held else DASH
    return signs | {RESULTS: _TICK if Permission.EXPORT in held else own}


def _places(actor: Actor) -> dict[str, str]:
    """Return labels by id where the actor may grant: all organizations first, then by name."""
    within = reach(actor.grants, Permission.ACCESS)
    named = {
        place: f"{name} · {place}"
        for place, name in directory.organization_names(app_context().engine, actor).items()
        if covers(within, place)
    }
    return {_ALL: EVERYWHERE.capitalize()} | named if within is None else named


# The callbacks of the buttons.


def _grant() -> None:
    username, role = str(value(_USERNAME) or "").strip(), value(_ROLE)
    chosen: Sequence[str] = value(_WHERE) or ()
    missing = [
        what
        for what, given in (("Username", username), ("Role", role), ("Where", chosen))
        if not given
    ]
    if missing:
        message.refuse(f"Nothing was granted: fill in {' and '.join(missing)}, then grant.")
        return
    wanted = [Grant(role)] if _ALL in chosen else [Grant(role, place) for place in chosen]
    with message.errors_as_message():
        new = grants.grant(app_context().unit_of_work, permissions.current_user(), username, wanted)
        message.say(plain(granted_sentence(username, wanted, new)))
        set_value(_USERNAME, "")
        set_value(_WHERE, [])


def granted_sentence(username: str, wanted: Iterable[Grant], new: Sequence[Grant]) -> str:
    """Return `jdoe is Support in UTCJF1 from the next click.`, and which grants existed already."""
    held = [each for each in wanted if each not in new]
    sentences = []
    if new:
        sentences.append(f"{username} is {_role_and_places(new)} from the next click.")
    if held:
        sentences.append(f"{username} was {_role_and_places(held)} already.")
    return " ".join(sentences)


def _role_and_places(granted: Sequence[Grant]) -> str:
    """Return `Support in UTCJF1 and UTTAN1`; more than 3 organizations are counted."""
    role = ROLES[granted[0].role]
    places = [each.organization_id or EVERYWHERE for each in granted]
    if len(places) > _FEW:
        return f"{role} in {counted(len(places), 'organization')}"
    *others, last = places
    return f"{role} in {', '.join(others)} and {last}" if others else f"{role} in {last}"
