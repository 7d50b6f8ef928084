"""Coverage: which rows are shown, and their order."""

import pytest

from lib.domain.coverage import (
    BY_NAME,
    BY_SHARE,
    CoverageFilter,
    CoverageRow,
    by_organization,
    by_row,
    by_service,
    matching_rows,
)
from lib.domain.states import OrganizationType


def row(name: str, accepted: int, users: int, service: str = "s") -> CoverageRow:
    """Return a row of one organization; the other users have no token."""
    kind = OrganizationType("recipient")
    return CoverageRow(name, name, kind, "UT", service, "S", accepted, 0, users - accepted)


def names(rows: list[CoverageRow]) -> list[str]:
    """Return the organizations of `rows`, each once."""
    return list(dict.fromkeys(row.organization_id for row in rows))


#: By all services together: b 40 %, a 50 %, c 60 %. For s2: a 10 %, b 40 %, and c has no s2.
ROWS = [
    row("a", 9, 10, "s1"),
    row("a", 1, 10, "s2"),
    row("b", 4, 10, "s2"),
    row("c", 6, 10, "s1"),
]


class TestOrder:
    """By share of all services or of one, or by name."""

    def test_rows_with_equal_shares_put_most_users_without_a_token_first(self):
        """That is where work helps most. A row without users comes last."""
        rows = [row("few", 1, 2), row("many", 10, 20), row("nobody", 0, 0), row("none", 0, 1)]
        assert names(by_row(rows, BY_SHARE)) == ["none", "many", "few", "nobody"]

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            (BY_SHARE, ["b", "a", "c"]),
            (by_service("s2"), ["a", "b", "c"]),
            (by_service("s1"), ["c", "a", "b"]),
            (by_service("unknown"), ["a", "b", "c"]),
            (BY_NAME, ["a", "b", "c"]),
        ],
    )
    def test_organizations_are_in_the_order_of_one_service_or_of_all(self, order, expected):
        """An organization without the service comes last."""
        ordered = by_organization(ROWS, order)
        assert names(ordered) == expected
        assert sorted(ordered) == sorted(ROWS)

    def test_rows_of_an_organization_stay_together(self):
        """Two organizations with one share are not mixed."""
        rows = [row("a", 1, 2, "s1"), row("b", 1, 2, "s1"), row("b", 1, 2, "s2")]
        rows.insert(1, row("a", 1, 2, "s2"))
        assert by_organization(rows, BY_SHARE) == rows


class TestFilter:
    """State, type and service."""

    @pytest.mark.parametrize(
        ("wanted", "count"),
        [
            (CoverageFilter(), 4),
            (CoverageFilter(service="s2"), 2),
            (CoverageFilter("UT", "recipient", "s1"), 2),
            (CoverageFilter(state="NV"), 0),
            (CoverageFilter(type="submitter"), 0),
        ],
    )
    def test_rows_match_all_parts_of_the_filter(self, wanted, count):
        """Empty text means any."""
        assert len(matching_rows(ROWS, wanted)) == count
