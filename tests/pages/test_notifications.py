"""The notifications page of a service."""

from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, facts, links, values

HERE = {"org": "UTCJF1", "service": "plat-review"}


class TestNotifications:
    """Which events, how, to whom."""

    def test_shows_how_each_event_is_notified(self, open_page):
        """An event without a way says that it is not notified."""
        at = open_page("notifications", **HERE)
        assert at.header[0].value == "Notifications"
        assert facts(at) == {
            "Service": "Plat Review",
            "Document recorded": "API",
            "Document rejected": "E-mail",
            "Fees changed": "Not notified",
            "Sent to": "recording@juniper.example.com",
        }

    def test_leads_on_to_the_tokens(self, open_page):
        """The link keeps organization and service."""
        at = open_page("notifications", **HERE)
        assert links(at) == [(":blue[API 2.0 Tokens]", "api-tokens", HERE)]

    def test_markup_stays_as_written(self, demo, open_page):
        """Facts are plain text."""
        execute_sql(demo, "UPDATE subscription SET notify_to = :n", n=MARKUP)
        assert facts(open_page("notifications", **HERE))["Sent to"] == MARKUP

    def test_an_unsubscribed_service_has_a_way_out(self, open_page):
        """A sentence and a link to what is subscribed."""
        at = open_page("notifications", org="UTCHC2", service="no'such%")
        assert values(at.warning) == [
            "Hollow Creek County Recorder does not subscribe to no'such%."
        ]
        assert links(at)[0][1:] == ("services", {"org": "UTCHC2"})

    def test_an_inactive_organization_says_what_that_means(self, open_page):
        """The settings stay readable."""
        at = open_page("notifications", org="COCEP3", service="erecording")
        assert "its tokens are refused" in at.warning[0].value

    def test_unknown_organization(self, open_page):
        """A sentence instead of a page."""
        at = open_page("notifications", org="NOSUCH", service="erecording")
        assert values(at.warning) == ["There is no organization NOSUCH."]

    def test_only_staff(self, open_page):
        """Typing the address by hand gets a user nothing."""
        at = open_page("notifications", person=USER, **HERE)
        assert values(at.info) == [FOR_STAFF]
        assert not at.text
