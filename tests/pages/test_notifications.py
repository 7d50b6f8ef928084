"""The notifications page of a service."""

from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, facts, links, values

HERE = {"org": "UTCJF1", "service": "plat-review"}


class TestNotifications:
    """Which events are notified, how and to whom."""

    def test_notifications_page_shows_how_each_event_is_notified(self, open_page):
        """An event without a way is `Not notified`."""
        at = open_page("notifications", **HERE)
        assert at.header[0].value == "Notifications"
        assert facts(at) == {
            "Service": "Plat Review",
            "Document recorded": "API",
            "Document rejected": "E-mail",
            "Fees changed": "Not notified",
            "Sent to": "recording@juniper.example.com",
        }

    def test_notifications_page_links_to_the_api_tokens(self, open_page):
        """The link keeps organization and service."""
        at = open_page("notifications", **HERE)
        assert links(at) == [(":blue[API 2.0 Tokens]", "api-tokens", HERE)]

    def test_notifications_page_with_markup_shows_it_as_written(self, demo, open_page):
        """Facts are plain text."""
        execute_sql(demo, "UPDATE subscription SET notify_to = :n", n=MARKUP)
        assert facts(open_page("notifications", **HERE))["Sent to"] == MARKUP

    def test_notifications_page_of_an_unsubscribed_service_has_a_message_and_a_link(
        self, open_page
    ):
        """The link goes to the subscriptions."""
        at = open_page("notifications", org="UTCHC2", service="no'such%")
        assert values(at.warning) == [
            "Hollow Creek County Recorder does not subscribe to no'such%."
        ]
        assert links(at)[0][1:] == ("services", {"org": "UTCHC2"})

    def test_notifications_page_of_an_inactive_organization_warns(self, open_page):
        """The settings are still shown."""
        at = open_page("notifications", org="COCEP3", service="erecording")
        assert "its tokens are refused" in at.warning[0].value

    def test_notifications_page_of_an_unknown_organization_has_a_message(self, open_page):
        """No page is drawn."""
        at = open_page("notifications", org="NOSUCH", service="erecording")
        assert values(at.warning) == ["There is no organization NOSUCH."]

    def test_notifications_page_for_a_user_says_who_may_open_it(self, open_page):
        """Also with a typed address."""
        at = open_page("notifications", person=USER, **HERE)
        assert values(at.info) == [FOR_STAFF]
        assert not at.text
