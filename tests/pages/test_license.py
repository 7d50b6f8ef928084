"""The license page of a service."""

import pytest

from lib.ui.components.definition_list import DASH, date_text, seats_text
from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, facts, links, query, values

HERE = {"org": "UTCJF1", "service": "erecording"}


class TestLicense:
    """Number, plan, dates and seats."""

    def test_license_page_shows_number_plan_dates_and_seats(self, open_page):
        """The title has the name of the service."""
        at = open_page("license", **HERE)
        shown = facts(at)
        assert at.header[0].value == "eRecording License"
        assert shown["License number"] == "ER-2022-1000"
        assert shown["Plan"] == "Enterprise"
        assert (shown["Start"], shown["Renewal"]) == ("Apr 1, 2026", "Apr 1, 2027")
        assert shown["Since"] == "Apr 1, 2022"
        assert shown["Seats used"].endswith(" of 350")

    def test_license_page_links_to_notifications(self, open_page):
        """The link keeps organization and service."""
        at = open_page("license", **HERE)
        assert links(at) == [(":blue[Notifications]", "notifications", HERE)]

    def test_license_page_without_a_service_shows_the_first(self, open_page):
        """The first is eRecording."""
        assert open_page("license", org="UTCJF1").header[0].value == "eRecording License"

    def test_license_page_of_an_unsubscribed_service_has_a_message_and_a_link(self, open_page):
        """The link goes to the subscriptions."""
        at = open_page("license", org="UTCHC2", service="erecording")
        assert values(at.warning) == [
            "Hollow Creek County Recorder does not subscribe to erecording."
        ]
        assert links(at)[0][1:] == ("services", {"org": "UTCHC2"})

    def test_license_page_of_an_ended_subscription_counts_no_seats(self, open_page):
        """Its tokens do not verify, so they use no seat."""
        shown = facts(open_page("license", org="UTCRS4", service="plat-review"))
        assert (shown["Status"], shown["Seats used"]) == ("Inactive", f"{DASH} of 50")

    def test_license_page_of_an_inactive_organization_warns(self, open_page):
        """The license is still shown."""
        at = open_page("license", org="COCEP3", service="erecording")
        assert "its tokens are refused" in at.warning[0].value
        assert facts(at)["License number"] == "ER-2025-1322"

    def test_license_page_with_markup_shows_it_as_written(self, demo, open_page):
        """In the title and in the facts."""
        execute_sql(demo, "UPDATE service SET name = :n WHERE service_id = 'erecording'", n=MARKUP)
        execute_sql(demo, "UPDATE subscription SET plan = :n", n=MARKUP)
        at = open_page("license", **HERE)
        assert at.header[0].value.startswith(r"\<b\>A\</b\>")
        assert facts(at)["Plan"] == MARKUP

    def test_license_page_of_an_unknown_organization_has_a_message(self, open_page):
        """No page is drawn."""
        at = open_page("license", org="NOSUCH", service="erecording")
        assert values(at.warning) == ["There is no organization NOSUCH."]

    def test_license_page_for_a_user_says_who_may_open_it(self, open_page):
        """Also with a typed address."""
        at = open_page("license", person=USER, **HERE)
        assert values(at.info) == [FOR_STAFF]
        assert not at.text


class TestWords:
    """How seats and dates are written."""

    @pytest.mark.parametrize(
        ("used", "seats", "words"),
        [
            (212, 250, "212 of 250"),
            (1_212, 1_000, "1,212 of 1,000, 212 over"),
            (7, None, "7, no limit stated"),
            (None, 50, f"{DASH} of 50"),
            (None, None, DASH),
        ],
    )
    def test_seats_text_has_used_total_and_excess(self, used, seats, words):
        """Also without a limit, and without a count."""
        assert seats_text(used, seats) == words

    @pytest.mark.parametrize(
        ("iso", "words"), [("2026-04-01", "Apr 1, 2026"), ("", DASH), ("soon", "soon")]
    )
    def test_date_text_writes_iso_dates_out(self, iso, words):
        """An empty date is a dash; other text stays."""
        assert date_text(iso) == words


def policies(engine):
    """Return the days of the organization and of the service."""
    return query(
        engine,
        "SELECT o.token_days, s.token_days FROM organization o, service s"
        " WHERE o.organization_id = 'UTCJF1' AND s.service_id = 'erecording'",
    )[0]


class TestExpiry:
    """The expiry of new tokens."""

    def test_expiry_uses_the_shorter_limit_until_it_is_emptied(self, demo, open_page):
        """An empty field means no limit."""
        at = open_page("license", **HERE)
        assert "New tokens do not expire." in values(at.markdown)
        at.number_input[0].set_value(90)
        at.number_input[1].set_value(365)
        at.button(key="license_save").click().run()
        assert policies(demo) == (90, 365)
        assert "New tokens expire after **90 days**, the limit of this organization." in values(
            at.markdown
        )
        at.number_input[0].set_value(None)
        at.button(key="license_save").click().run()
        assert policies(demo) == (None, 365)
        assert "New tokens expire after **365 days**, the limit of the service." in values(
            at.markdown
        )
        (events,) = query(demo, "SELECT count(*) FROM audit_event WHERE action = 'policy'")[0]
        assert events == 3

    def test_expiry_fields_when_the_organization_changes_are_its_own(self, demo, open_page):
        """A number typed for one organization does not stay for the next."""
        at = open_page("license", **HERE)
        at.number_input[0].set_value(90)
        at.button(key="license_save").click().run()
        at.query_params["org"] = "UTCRS4"
        at.run()
        assert at.number_input[0].value is None
        assert policies(demo) == (90, None)

    def test_expiry_for_support_is_read_only(self, open_page):
        """Support reads the sentence and has no field."""
        at = open_page("license", person="dnakano", **HERE)
        assert "New tokens do not expire." in values(at.markdown)
        assert not at.number_input
