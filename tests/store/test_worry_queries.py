"""Coverage and saved views: equal to a plain count in pandas over the raw rows, on each engine."""

from collections import Counter
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from lib.domain.clock import DAY
from lib.domain.ids import new_id
from lib.domain.worries import OF_PLACE, VIEWS, WORRIES, SavedView, View
from lib.store import coverage_queries, tables, worry_queries
from lib.store.engine import reading, writing
from tests.support.database_facts import NOW
from tests.support.directory import build

ORGANIZATIONS = ("UTCJF1", "UTTAN1")
SERVICES = ("erecording", "plat-review")
USERS = 3
KEY = ["organization_id", "service_id", "member_id"]
STATUSES = st.sampled_from(["active", "active", "active", "inactive", "pending"])

#: Days around the limits of the views: one less, exactly, one more.
AGES = st.sampled_from([0, 1, 6, 7, 8, 29, 30, 31, 59, 60, 61, 89, 90, 91, 179, 180, 181, 300])
TOKEN = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["pending", "accepted", "accepted", "removed", "expired"]),
        "origin": st.sampled_from(["request", "export"]),
        "created": AGES,
        "accepted": AGES,
        "used": st.one_of(st.none(), AGES),
        "ends": st.one_of(st.none(), st.sampled_from([-1, 0, 1, 7, 8, 30, 31, 60, 61, 300])),
    }
)
HISTORIES = st.lists(
    st.lists(TOKEN, max_size=3), min_size=12, max_size=12
)  # of each user and service
DIRECTORY = st.fixed_dictionaries(
    {
        "member": st.lists(STATUSES, min_size=6, max_size=6),
        "organization": st.lists(STATUSES, min_size=2, max_size=2),
        "subscription": st.lists(STATUSES, min_size=4, max_size=4),
    }
)


def rows_of(history: list[dict[str, Any]], key: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return the token rows of one user and service: at most one pending and one accepted."""
    rows: dict[str, dict[str, Any]] = {}
    for n, token in enumerate(history):
        live = token["state"] in {"pending", "accepted"}
        created = NOW - token["created"] * DAY
        accepted = (
            None if token["state"] == "pending" else max(created, NOW - token["accepted"] * DAY)
        )
        secret = accepted is not None or token["origin"] == "export"
        used = None if token["used"] is None or not secret else NOW - token["used"] * DAY
        rows[token["state"] if live else f"ended {n}"] = {
            **dict(zip(KEY, key, strict=True)),
            "token_id": new_id(NOW),
            "state": token["state"],
            "origin": token["origin"],
            "digest": new_id(NOW).encode() if secret else None,
            "created_at": created,
            "accepted_at": accepted,
            "last_used_at": None if used is None else max(used, accepted or created),
            "expires_at": None if token["ends"] is None else NOW + token["ends"] * DAY,
            "ended_at": None if live else NOW,
            "ended_from": None if live else "accepted",
        }
    return list(rows.values())


def write(engine: Engine, members: list[tuple[str, str]], drawn: list[Any], found: Any) -> None:
    """Replace all tokens and statuses by those that were drawn."""
    keys = [(o, s, m) for o, m in members for s in SERVICES]
    tokens = [
        row for history, key in zip(drawn, keys, strict=True) for row in rows_of(history, key)
    ]
    places = [(o, s) for o in ORGANIZATIONS for s in SERVICES]
    with writing(engine) as connection:
        connection.execute(tables.token.delete())
        if tokens:
            connection.execute(tables.token.insert(), tokens)
        for status, organization_id in zip(found["organization"], ORGANIZATIONS, strict=True):
            at = {"s": status, "o": organization_id}
            connection.execute(
                text("UPDATE organization SET status = :s WHERE organization_id = :o"), at
            )
        for status, (_, member_id) in zip(found["member"], members, strict=True):
            at = {"s": status, "m": member_id}
            connection.execute(text("UPDATE member SET status = :s WHERE member_id = :m"), at)
        for status, (organization_id, service_id) in zip(
            found["subscription"], places, strict=True
        ):
            at = {"s": status, "o": organization_id, "v": service_id}
            connection.execute(
                text(
                    "UPDATE subscription SET status = :s WHERE organization_id = :o"
                    " AND service_id = :v"
                ),
                at,
            )


def raw(engine: Engine) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every user of every subscription with `counted`, and every live token."""
    with reading(engine) as connection:
        users = pd.DataFrame(
            connection.execute(
                text(
                    "SELECT m.organization_id, b.service_id, m.member_id, m.status AS ms,"
                    " o.status AS os, b.status AS bs FROM member m, organization o, subscription b"
                    " WHERE m.organization_id = o.organization_id"
                    " AND b.organization_id = o.organization_id"
                )
            ).mappings()
        )
        columns = ("state", "origin", "created_at", "accepted_at", "last_used_at", "expires_at")
        chosen = ", ".join([*KEY, *columns])
        tokens = pd.DataFrame(
            connection.execute(text(f"SELECT {chosen} FROM token")).mappings(),
            columns=[*KEY, *columns],
        ).astype(dict.fromkeys(columns[2:], "Int64"))
    users["counted"] = (users[["ms", "os", "bs"]] == "active").all(axis=1)
    live = tokens["state"].isin(["pending", "accepted"])
    alive = (tokens["expires_at"] > NOW).fillna(value=True)
    return users, tokens[live & alive]


def matching(tokens: pd.DataFrame, view: View, days: int) -> pd.DataFrame:
    """Return the tokens that put somebody on the list of a worry."""
    pending = tokens["state"] == "pending"
    secret = ~pending | (tokens["origin"] == "export")
    taken = tokens["accepted_at"].where(~pending, tokens["created_at"])
    before = NOW - days * DAY
    unused = tokens["last_used_at"].isna()
    chosen = {
        View.PENDING: pending & (tokens["created_at"] <= before),
        View.NEVER_USED: secret & unused & (taken <= before),
        View.UNUSED: secret
        & (taken <= before)
        & (tokens["last_used_at"] <= before).fillna(value=True),
        View.EXPIRING: secret & (tokens["expires_at"] <= NOW + days * DAY).fillna(value=False),
        View.INACTIVE: pending | ~pending,
    }[view]
    return tokens[chosen.fillna(value=False)]


def people(frame: pd.DataFrame) -> Counter[tuple[str, str]]:
    """Return how many different people a frame has, by organization and service."""
    places = frame[KEY].drop_duplicates()[KEY[:2]].itertuples(index=False)
    return Counter(tuple(place) for place in places)


class TestAgainstPandas:
    """The same numbers as a count by hand over the raw rows."""

    def test_coverage_and_every_view_equal_a_count_over_raw_rows(self, engine):
        """On each engine, for whatever histories hypothesis makes."""
        members = [
            (organization_id, member_id)
            for organization_id in ORGANIZATIONS
            for member_id in build(
                engine, USERS, organization_id=organization_id, services=SERVICES
            )
        ]

        @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(HISTORIES, DIRECTORY)
        def compare(drawn, found):
            write(engine, members, drawn, found)
            users, tokens = raw(engine)
            compare_coverage(engine, users, tokens)
            for view in WORRIES:
                for days in VIEWS[view].days or (0,):
                    compare_worry(engine, users, tokens, SavedView(view, days))

        compare()


def compare_coverage(engine: Engine, users: pd.DataFrame, tokens: pd.DataFrame) -> None:
    """Compare coverage and its four lists with the raw rows."""
    counted = users[users["counted"]]
    have = counted.merge(tokens[tokens["state"] == "accepted"][KEY].drop_duplicates(), on=KEY)
    wait = counted.merge(tokens[tokens["state"] == "pending"][KEY].drop_duplicates(), on=KEY)
    either = pd.concat([have, wait])
    with reading(engine) as connection:
        rows = coverage_queries.coverage(connection, NOW)
        by_place = {(r.organization_id, r.service_id): r for r in rows}
        numbers = {
            View.USERS: (people(counted), lambda r: r.users),
            View.HAVE: (people(have), lambda r: r.accepted),
            View.WAIT: (people(either) - people(have), lambda r: r.pending),
            View.NEITHER: (people(counted) - people(either), lambda r: r.none),
        }
        assert set(by_place) == set(people(counted)) | {
            place for place, r in by_place.items() if not r.users
        }
        for view in OF_PLACE:
            expected, number = numbers[view]
            for place, row in by_place.items():
                assert number(row) == expected[place], (view, place)
                saved = SavedView(view, 0, *place)
                listed = worry_queries.people_of_place(connection, saved, *place, NOW)
                assert len(listed) == expected[place], (view, place)


def compare_worry(
    engine: Engine, users: pd.DataFrame, tokens: pd.DataFrame, saved: SavedView
) -> None:
    """Compare a worry's numbers, and its people in each place, with the raw rows."""
    whom = users[users["counted"] != (saved.view is View.INACTIVE)]
    found = whom.merge(matching(tokens, saved.view, saved.days)[KEY].drop_duplicates(), on=KEY)
    expected = people(found)
    with reading(engine) as connection:
        counted = worry_queries.count_people(connection, saved, None, NOW)
        numbers = {(p.organization_id, p.service_id): p.people for p in counted}
        assert numbers == dict(expected), saved
        for place in numbers:
            listed = worry_queries.people_of_place(connection, saved, *place, NOW)
            ids = set(found[(found[KEY[:2]] == list(place)).all(axis=1)]["member_id"])
            assert {person.member_id for person in listed} == ids, saved


class TestReach:
    """Only what the viewer may see is counted."""

    @pytest.mark.parametrize("view", WORRIES)
    def test_other_organizations_are_not_counted(self, engine, view):
        """Nor when the address names one."""
        for organization_id in ORGANIZATIONS:
            build(engine, 1, organization_id=organization_id)
        own, other = ORGANIZATIONS
        with writing(engine) as connection:
            connection.execute(text("UPDATE member SET status = 'inactive'"))
        with reading(engine) as connection:
            for within in (frozenset({own}), frozenset()):
                saved = SavedView(view, VIEWS[view].default, other)
                assert worry_queries.count_people(connection, saved, within, NOW) == []
