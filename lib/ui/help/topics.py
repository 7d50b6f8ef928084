"""The topics of Help: what a person can do, in the manual's words, with a link to its page."""

from collections.abc import Iterable
from typing import NamedTuple

import streamlit as st

from lib.domain.access import Actor
from lib.domain.actions import ACTIONS, ActionEntry
from lib.domain.roles import Permission
from lib.ui.navigation import links, scope
from lib.ui.navigation.page_registry import (
    ACCESS,
    ACTIVITY,
    COVERAGE,
    MY_TOKENS,
    ORGANIZATIONS,
    TOKENS,
    USERS,
    PageEntry,
)
from lib.ui.session import session
from lib.wording.labels import role_names


class Topic(NamedTuple):
    """A topic: `I want to <wish>`, how to do it, its page, and the permission it needs."""

    wish: str
    how: str
    page: PageEntry
    permission: Permission | None = Permission.READ


_OPEN = Topic(
    "open the API Tokens page",
    "In Organizations, find the organization with **Search** or the filters, then select its name "
    "or its status. In the menu go on to **Services**, the service (eRecording first), "
    "**Notifications** and **API 2.0 Tokens**.",
    ORGANIZATIONS,
)


def _on_tokens_page(wish: str, how: str, permission: Permission = Permission.READ) -> Topic:
    return Topic(wish, how, TOKENS, permission)


def _of_action(entry: ActionEntry) -> Topic:
    how = (
        f"Mark the users' checkboxes, then choose **{entry.name_for_one}** "
        f"(**{entry.name_for_many}** for several users) under **Actions**. {entry.help}"
    )
    return _on_tokens_page(entry.wish, how, entry.permission)


STAFF_TOPICS = (
    _OPEN,
    _on_tokens_page(
        "view accepted API tokens",
        "Pick **Organization** and **Service**. A user with a check mark under **API Token** has "
        "accepted one.",
    ),
    *(_of_action(entry) for entry in ACTIONS.values()),
    _on_tokens_page(
        "replace tokens without an outage",
        "In the first confirmation of Generate & Export pick **Existing tokens**: **Keep working "
        "until the new token is first used**. The filter **Old and new both live** finds who has "
        "not switched yet.",
        Permission.GENERATE,
    ),
    Topic(
        "take back an operation",
        "Press **Undo** on its receipt, or open it here and press **Undo** there. Users who have "
        "used or accepted the new token since, or whom somebody else changed, are skipped.",
        ACTIVITY,
        Permission.ACTIVITY,
    ),
    Topic(
        "see who lacks a token",
        "Shares by organization and service, the lowest first. Choose a row to open its tokens.",
        COVERAGE,
        Permission.COVERAGE,
    ),
    Topic(
        "find a user, and see what happened to them",
        "Type a part of a name, username or email under **Users**. The user's page has their "
        "organizations, tokens, requests and history.",
        USERS,
    ),
    Topic(
        "see who did what",
        "Operations, sign-ins, refusals and changes of access, newest first. **Who did it** and "
        "**About whom** find those of one person. Open an operation to see its users.",
        ACTIVITY,
        Permission.ACTIVITY,
    ),
    Topic(
        "end all tokens of a person who leaves",
        "Open the person under **Users**, then **End all tokens and requests**: in every "
        "organization and service, in one confirmed step.",
        USERS,
        Permission.OFF_BOARD,
    ),
    Topic(
        "grant or revoke a role",
        "Grant a role for all organizations or for some, or revoke it. The change takes effect at "
        "the person's next click.",
        ACCESS,
        Permission.ACCESS,
    ),
)

USER_TOPICS = (
    Topic(
        "accept a token requested for me",
        "Press **Accept**, copy the token, then press **I have copied it**: it is shown once only. "
        "If you have it from a CSV, accepting shows nothing; its first use accepts it too.",
        MY_TOKENS,
    ),
    Topic(
        "decline a token requested for me",
        "Press **Decline** and confirm. A token from a CSV stops working; a request just ends.",
        MY_TOKENS,
    ),
)


def render_topics(actor: Actor) -> None:
    """Draw the topics that `actor` has the permission for."""
    mine = [t for t in STAFF_TOPICS if t.permission is None or actor.may_somewhere(t.permission)]
    if mine:
        _section(f"As {role_names(actor)} I want to …", mine)
        _section("For myself I want to …", USER_TOPICS)
    else:
        _section("I want to …", USER_TOPICS)


def _section(title: str, topics: Iterable[Topic]) -> None:
    st.subheader(title, anchor=False)
    for topic in topics:
        with st.container(gap="xxsmall", width=700):
            st.markdown(f"**… {topic.wish}**")
            st.markdown(topic.how)
            _link(topic)


def _link(topic: Topic) -> None:
    """Draw the link; the API Tokens page opens at the person's last organization."""
    place = session().place
    if topic.page is not TOKENS:
        links.page_link(topic.page)
    elif place.organization_id:
        links.page_link(TOKENS, scope.query_params(place.organization_id, place.service_id))
    else:
        links.page_link(ORGANIZATIONS, label=":blue[Choose an organization first]")
