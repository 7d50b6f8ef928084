"""Users: the search, and what each kind of text finds."""

import pytest

from lib.domain.states import Action
from lib.domain.token_format import mint
from lib.ui.components.filters import REFUSED_TEXT
from tests.pages.test_activity import act
from tests.support.page import USER, links, query, values

SUPPORT = "psorel"  # of UTCJF1 alone


def found(open_page, text: str, person: str = "mhale"):
    """Open Users and type a text."""
    at = open_page("users", person=person)
    at.text_input(key="users_search").set_value(text).run()
    assert not at.exception
    return at


class TestSearch:
    """What a text finds."""

    def test_page_before_a_search_says_how_many_there_are(self, demo, open_page):
        """And what can be typed."""
        at = open_page("users")
        users, organizations = query(
            demo,
            "SELECT (SELECT count(DISTINCT username) FROM member), count(*) FROM organization",
        )[0]
        assert f"**{users:,} users in {organizations} organizations**" in values(at.markdown)

    @pytest.mark.parametrize("text", [USER, "ADOYLE", " adoyle ", "adoyle@"])
    def test_username_finds_the_person_with_a_link(self, open_page, text):
        """By username or e-mail, in any case."""
        at = found(open_page, text)
        assert ("person", {"user": USER}) in [(page, q) for _, page, q in links(at)]
        assert any(text.startswith(":small[1 token, ") for text in values(at.markdown))

    def test_operation_id_and_organization_and_hint_find_theirs(self, demo, open_page):
        """Each in a group of its own."""
        operation = act(demo, Action.GENERATE, 3)
        at = found(open_page, operation.partition("-")[2])
        assert ("activity", {"operation": operation}) in [(page, q) for _, page, q in links(at)]
        hint, username = query(
            demo,
            "SELECT t.hint, m.username FROM token t JOIN member m ON m.member_id = t.member_id"
            " WHERE t.hint IS NOT NULL AND t.state = 'accepted' LIMIT 1",
        )[0]
        for text in (hint, f"{hint}…", hint.removeprefix("demo_")):
            at = found(open_page, text)
            assert ("person", {"user": username}) in [(page, q) for _, page, q in links(at)]
        at = found(open_page, "UTCJF1")
        assert ("contact", {"org": "UTCJF1"}) in [(page, q) for _, page, q in links(at)]

    @pytest.mark.parametrize(
        "text",
        [
            "%",
            "_",
            "\\",
            "' OR 1=1 --",
            "\N{RIGHT-TO-LEFT OVERRIDE}qqqq",
            "🦄",
            "q" * 10_000,
            "qq\0qq",
        ],
    )
    def test_text_of_any_kind_that_nothing_has_finds_nothing(self, open_page, text):
        """The page says so and offers to clear the search."""
        at = found(open_page, text)
        assert any(value.startswith("**Nothing found for ") for value in values(at.markdown))
        at.button(key="users_clear").click().run()
        assert at.text_input(key="users_search").value == ""

    def test_token_is_not_searched_or_kept(self, open_page):
        """The field is emptied, and the page says where to look it up."""
        (token,) = mint(1, "demo")
        for text in (token, f'Authorization: Bearer "{token}"', token[:30]):
            at = found(open_page, text)
            assert at.text_input(key="users_search").value == ""
            assert f":small[:red[{REFUSED_TEXT}]]" in values(at.markdown)
            assert token[:30] not in repr(at.session_state["session"])
            assert not at.query_params

    def test_support_of_one_organization_finds_its_people_alone(self, demo, open_page):
        """No staff, no users of others, no organization of others."""
        stranger = query(
            demo,
            "SELECT username FROM member WHERE organization_id = 'NVTBL2' AND username NOT IN"
            " (SELECT username FROM member WHERE organization_id = 'UTCJF1')",
        )[0][0]
        for text in (stranger, "mhale", "NVTBL2"):
            at = found(open_page, text, SUPPORT)
            assert any(value.startswith("**Nothing found for ") for value in values(at.markdown))
        assert links(found(open_page, "mhale"))
