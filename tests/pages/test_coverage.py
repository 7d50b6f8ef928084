"""Token coverage."""

import csv
import io
import json

import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

from lib.domain.coverage import CoverageRow
from lib.domain.states import OrganizationType
from lib.ui.coverage.coverage_chart import CHART_ORGANIZATIONS
from lib.ui.coverage.coverage_view import (
    coverage_csv,
    totals_sentence,
)
from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, query, values


def row(name: str, accepted: int, users: int, kind: str = "recipient") -> CoverageRow:
    """Return a row of one organization; the other users have no token."""
    return CoverageRow(
        name, name, OrganizationType(kind), "UT", "s", "S", accepted, 0, users - accepted
    )


def chart(at) -> dict:
    """Return the chart's specification."""
    return json.loads(at.get("vega_lite_chart")[0].proto.spec)


def cells(at) -> list[dict]:
    """Return the rows of the chart's data."""
    (data,) = at.get("vega_lite_chart")[0].proto.datasets
    return convert_arrow_bytes_to_pandas_df(data.data.data).to_dict("records")


class TestThePage:
    """Totals, heat map and table."""

    def test_totals_equal_the_sums_of_the_table(self, open_page):
        """One sentence above the figures."""
        at = open_page("coverage")
        frame = at.dataframe[0].value
        accepted, users = frame["Accepted"].sum(), frame["Users"].sum()
        start = f"**{accepted:,} of {users:,} users have a token ({accepted / users:.0%})**, "
        assert at.header[0].value == "Token coverage"
        assert any(text.startswith(start) for text in values(at.main.markdown))
        assert (frame["Accepted"] + frame["Pending"] + frame["None"] == frame["Users"]).all()

    def test_table_by_share_rises_and_ends_with_rows_without_users(self, open_page):
        """The default order."""
        frame = open_page("coverage").dataframe[0].value
        shares = frame["Share"].dropna()
        assert shares.is_monotonic_increasing
        assert frame["Share"].isna().iloc[-1]

    def test_table_by_name_is_in_order_of_names(self, open_page):
        """The other order."""
        at = open_page("coverage")
        at.selectbox(key="coverage_order").set_value("name").run()
        names = at.dataframe[0].value["Organization"].str.casefold()
        assert names.iloc[0] == "anchor deed services"

    def test_filters_by_state_and_type_apply_to_all_figures(self, open_page):
        """Totals, heat map and table."""
        at = open_page("coverage")
        at.selectbox(key="coverage_state").set_value("NM")
        at.selectbox(key="coverage_type").set_value("submitter").run()
        assert set(at.dataframe[0].value["ID"]) == {"NMAPL1"}

    def test_filters_when_nothing_matches_offer_to_clear(self, demo, open_page):
        """The button brings all figures back."""
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

    def test_selectbox_opens_the_people_once(self, open_page):
        """Coming back does not open them again."""
        at = open_page("coverage")
        at.selectbox(key="coverage_open").set_value("UTCJF1 plat-review").run()
        assert at.header[0].value == "Users whom coverage counts"
        assert at.query_params["org"] in ("UTCJF1", ["UTCJF1"])
        at.switch_page("coverage.py").run()
        assert at.header[0].value == "Token coverage"

    def test_heat_map_with_200_organizations_shows_40_and_says_so(self, demo, open_page):
        """The table has all."""
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
        assert "The first 40 of 200 organizations; the table has all." in " ".join(
            values(at.caption)
        )
        assert len({cell["organization"] for cell in cells(at)}) == CHART_ORGANIZATIONS
        assert len(at.dataframe[0].value) == 200

    def test_coverage_with_markup_in_a_name_shows_it_as_written(self, demo, open_page):
        """Tables and charts read no Markdown."""
        execute_sql(
            demo, "UPDATE organization SET name = :n WHERE organization_id = 'UTCJF1'", n=MARKUP
        )
        at = open_page("coverage")
        assert not at.exception
        assert MARKUP in set(at.dataframe[0].value["Organization"])

    def test_coverage_of_an_empty_directory_has_an_empty_state(self, open_empty):
        """No figures are drawn."""
        at = open_empty("coverage")
        assert "**Nothing to count yet**" in values(at.markdown)
        assert not at.dataframe

    def test_coverage_for_a_user_says_who_may_open_it(self, open_page):
        """A user without a role."""
        at = open_page("coverage", person=USER)
        assert values(at.info) == [FOR_STAFF]
        assert not at.dataframe


class TestFigures:
    """Totals and CSV, without a page."""

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
    def test_totals_sentence_has_matching_numbers_and_nouns(self, rows, words):
        """Singular and plural."""
        assert totals_sentence(rows) == words

    def test_csv_with_a_formula_as_a_name_escapes_it(self):
        """Shares are numbers."""
        text = coverage_csv([row("=1+1", 1, 3)]).decode("utf-8-sig")
        (line,) = csv.DictReader(io.StringIO(text, newline=""))
        assert line["Organization"] == "'=1+1"
        assert (line["Type"], line["Users"], line["Share"]) == ("Recipient", "3", "0.3333")

    def test_csv_has_no_token_and_no_hint(self, open_page):
        """Of the demo's tokens."""
        at = open_page("coverage")
        assert "demo_" not in at.dataframe[0].value.to_csv()
