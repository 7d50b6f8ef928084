"""Token coverage."""

import csv
import io
import json

import pytest

from lib.domain.coverage import CoverageRow
from lib.domain.states import OrganizationType
from lib.ui.coverage.coverage_view import (
    CHART_ORGANIZATIONS,
    coverage_csv,
    filtered_rows,
    totals_sentence,
)
from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, query, values


def row(name: str, accepted: int, users: int, kind: str = "recipient") -> CoverageRow:
    """Return a row of one organization, the rest of its users without a token."""
    return CoverageRow(
        name, name, OrganizationType(kind), "UT", "s", "S", accepted, 0, users - accepted
    )


def chart(at) -> dict:
    """Return the chart's specification."""
    return json.loads(at.get("vega_lite_chart")[0].proto.spec)


class TestThePage:
    """Totals, heat map and table."""

    def test_totals_are_what_the_table_adds_up_to(self, open_page):
        """One sentence on top of the figures."""
        at = open_page("coverage")
        frame = at.dataframe[0].value
        accepted, users = frame["Accepted"].sum(), frame["Users"].sum()
        start = f"**{accepted:,} of {users:,} users have a token ({accepted / users:.0%})**, "
        assert at.header[0].value == "Token coverage"
        assert at.main.markdown[0].value.startswith(start)
        assert (frame["Accepted"] + frame["Pending"] + frame["None"] == frame["Users"]).all()

    def test_worst_first(self, open_page):
        """Shares rise down the table; who has no users comes last."""
        frame = open_page("coverage").dataframe[0].value
        shares = frame["Share"].dropna()
        assert shares.is_monotonic_increasing
        assert frame["Share"].isna().iloc[-1]

    def test_by_name(self, open_page):
        """The other order."""
        at = open_page("coverage")
        at.selectbox(key="coverage_order").set_value("name").run()
        names = at.dataframe[0].value["Organization"].str.casefold()
        assert names.iloc[0] == "anchor deed services"

    def test_state_and_type(self, open_page):
        """Filters leave what fits, in all figures."""
        at = open_page("coverage")
        at.selectbox(key="coverage_state").set_value("NM")
        at.selectbox(key="coverage_type").set_value("submitter").run()
        assert set(at.dataframe[0].value["ID"]) == {"NMAPL1"}

    def test_nothing_matches(self, demo, open_page):
        """A way back is offered."""
        at = open_page("coverage")
        execute_sql(
            demo, "UPDATE organization SET status = 'inactive' WHERE organization_id = 'NMAPL1'"
        )
        at.selectbox(key="coverage_state").set_value("NM")
        at.selectbox(key="coverage_type").set_value("submitter").run()
        assert "**No organization matches**" in values(at.markdown)
        (clear,) = [b for b in at.button if b.label == "Clear filters"]
        clear.click().run()
        assert len(at.dataframe[0].value) > 50

    def test_inactive_organizations_are_not_counted(self, open_page):
        """Their tokens do not verify."""
        assert "COCEP3" not in set(open_page("coverage").dataframe[0].value["ID"])

    def test_a_line_opens_the_tokens_of_that_organization_and_service(self, open_page):
        """By keyboard through the selectbox; coming back does not open it again."""
        at = open_page("coverage")
        at.selectbox(key="coverage_open").set_value("UTCJF1 plat-review").run()
        assert at.header[0].value == "Recipient API Tokens"
        assert at.query_params["org"] in ("UTCJF1", ["UTCJF1"])
        at.switch_page("coverage.py").run()
        assert at.header[0].value == "Token coverage"

    def test_the_chart_is_limited_and_says_so(self, demo, open_page):
        """200 organizations: the lowest 40 in the chart, all in the table."""
        service = query(demo, "SELECT service_id FROM service LIMIT 1")[0][0]
        for n in range(200):
            execute_sql(
                demo,
                "INSERT INTO organization (organization_id, name, search_key, type, status, state,"
                " contact_person, primary_recorder, address, telephone, fax, web_page, hours,"
                " document_types) VALUES (:i, 'Same name', 'same name', 'recipient', 'active',"
                " 'ZZ', '', '', '', '', '', '', '', '')",
                i=f"ZZ{n:04}",
            )
            execute_sql(
                demo,
                "INSERT INTO subscription (organization_id, service_id, status)"
                " VALUES (:i, :s, 'active')",
                i=f"ZZ{n:04}",
                s=service,
            )
        at = open_page("coverage")
        at.selectbox(key="coverage_state").set_value("ZZ").run()
        assert "The 40 lowest of 200 organizations; the table has all." in at.caption[1].value
        assert chart(at)["height"] == 24 * CHART_ORGANIZATIONS
        assert len(at.dataframe[0].value) == 200

    def test_markup_in_a_name_stays_as_written(self, demo, open_page):
        """Tables and charts do not read Markdown."""
        execute_sql(
            demo, "UPDATE organization SET name = :n WHERE organization_id = 'UTCJF1'", n=MARKUP
        )
        at = open_page("coverage")
        assert not at.exception
        assert MARKUP in set(at.dataframe[0].value["Organization"])

    def test_nothing_to_count(self, open_empty):
        """An empty directory has an empty state."""
        at = open_empty("coverage")
        assert "**Nothing to count yet**" in values(at.markdown)
        assert not at.dataframe

    def test_only_staff(self, open_page):
        """A user gets a sentence."""
        at = open_page("coverage", person=USER)
        assert values(at.info) == [FOR_STAFF]
        assert not at.dataframe


class TestFigures:
    """Order, totals and CSV, without a page."""

    def test_equal_shares_put_the_most_uncovered_users_first(self):
        """Where work helps most."""
        rows = [row("few", 1, 2), row("many", 10, 20), row("nobody", 0, 0), row("none", 0, 1)]
        names = [r.organization_id for r in filtered_rows(rows, "", "", "share")]
        assert names == ["none", "many", "few", "nobody"]

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            (
                [row("a", 1, 1)],
                "**1 of 1 user has a token (100%)**, 0 are Pending, 0 have neither.",
            ),
            ([row("a", 0, 0)], "**0 of 0 users have a token**, 0 are Pending, 0 have neither."),
            (
                [row("a", 1, 3)],
                "**1 of 3 users have a token (33%)**, 0 are Pending, 2 have neither.",
            ),
        ],
    )
    def test_totals(self, rows, words):
        """Numbers and nouns agree."""
        assert totals_sentence(rows) == words

    def test_csv_runs_nothing_in_a_spreadsheet(self):
        """A formula as a name is disarmed; shares are numbers."""
        text = coverage_csv([row("=1+1", 1, 3)]).decode("utf-8-sig")
        (line,) = csv.DictReader(io.StringIO(text, newline=""))
        assert line["Organization"] == "'=1+1"
        assert (line["Type"], line["Users"], line["Share"]) == ("Recipient", "3", "0.3333")

    def test_csv_of_the_page_has_no_token(self, open_page):
        """Neither a token nor the hint of one."""
        at = open_page("coverage")
        assert "demo_" not in at.dataframe[0].value.to_csv()
