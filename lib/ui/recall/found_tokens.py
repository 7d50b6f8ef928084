"""The tokens that were found in a leaked text: how many, whose, and the operations behind them."""

from collections import Counter

import pandas as pd
import streamlit as st

from lib.domain.leaks.containers import UNPACK_YOURSELF, NotLookedInto
from lib.domain.plural import counted
from lib.domain.states import TokenState
from lib.domain.tokens import LeakedToken
from lib.operations.recall import Recall
from lib.ui.components.row_height import table_height
from lib.ui.navigation import activity_links, links
from lib.ui.navigation.page_registry import ACTIVITY
from lib.wording.formats import either, plain

_ROWS_IN_SIGHT = 9
_FILES_IN_SIGHT = 20
_WIDTH = 785
_LIVE = {TokenState.ACCEPTED: "✓", TokenState.PENDING: "Pending"}


def render_found(found: Recall) -> None:
    """Draw the found tokens with their owners and operations, and the files that may hold more."""
    st.markdown(_sentence(found))
    if found.not_looked_into:
        _not_looked_into(found.not_looked_into)
    if found.leaked:
        _table(found.leaked)
        _operations(found)


def _sentence(found: Recall) -> str:
    total = len(found.leaked)
    live = found.ending
    unknown = either(
        found.unknown,
        "more looks like a token of ours, but is not in the organizations that you manage"
        "|more look like tokens of ours, but are not in the organizations that you manage",
    )
    if not total:
        return f"**No token of ours.** {unknown}." if found.unknown else "**No token of ours.**"
    works = f"{live:,} of them {'works' if live == 1 else 'work'}"
    tail = f" {unknown}." if found.unknown else ""
    return f"**{counted(total, 'token')} found**, {works}.{tail}"


def _not_looked_into(files: tuple[NotLookedInto, ...]) -> None:
    """Draw the warning about files that may hold more tokens."""
    lines = [f"- {plain(str(file))}" for file in files[:_FILES_IN_SIGHT]]
    if len(files) > _FILES_IN_SIGHT:
        lines.append(f"- and {counted(len(files) - _FILES_IN_SIGHT, 'more file')}")
    st.warning(
        "\n".join(["**Not looked into:**", "", *lines, "", UNPACK_YOURSELF]),
        icon=":material/warning:",
        width=_WIDTH,
    )


def _table(leaked: tuple[LeakedToken, ...]) -> None:
    frame = pd.DataFrame(
        [
            (
                token.name,
                token.username,
                f"{token.organization_name} · {token.organization_id}",
                token.service_name,
                f"{token.hint}…",
                _LIVE.get(token.state, token.state.value.capitalize()),
            )
            for token in leaked
        ],
        columns=["Name", "Username", "Organization", "Service", "Token", "State"],
    )
    st.dataframe(
        frame,
        hide_index=True,
        row_height=34,
        height=table_height(len(frame), _ROWS_IN_SIGHT),
        alt="Whose the found tokens are",
    )


def _operations(found: Recall) -> None:
    """Draw links to the operations that made the found tokens."""
    made = Counter(
        (token.organization_id, token.operation_id) for token in found.leaked if token.operation_id
    )
    for (organization_id, operation_id), tokens in sorted(made.items()):
        links.page_link(
            ACTIVITY,
            activity_links.operation_link(organization_id, operation_id),
            label=f":blue[The export of {plain(organization_id)}] that made "
            f"{counted(tokens, 'token')} of these",
        )
