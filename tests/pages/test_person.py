"""The page of one user: facts, tokens, off-boarding, history, and who sees what."""

import pytest

from lib.domain.states import Action
from lib.domain.token_format import mint
from lib.ui.components.filters import REFUSED_TEXT
from tests.pages.test_activity import ADMIN, ANALYST, SUPPORT, act, labels, values
from tests.support.page import MARKUP, USER, execute_sql, facts, query


def person_page(open_page, who: str = ADMIN, /, *, user: str):
    """Open the page of a user at a typed address."""
    at = open_page("person", person=who)
    at.query_params["user"] = user
    return at.run()


class TestPerson:
    """What the page shows, and off-boarding."""

    def test_person_page_shows_facts_live_and_ended_tokens(self, open_page):
        """Administrators see the roles too."""
        at = person_page(open_page, user=USER)
        assert facts(at)["Username"] == USER
        assert "Roles" in facts(at)
        assert set(at.dataframe[0].value["API Token"]) == {"✓", "Pending"}
        assert "End all tokens and requests" in labels(at)

    def test_person_page_for_support_has_no_roles(self, open_page):
        """Support sees the tokens."""
        assert "Roles" not in facts(person_page(open_page, SUPPORT, user=USER))

    def test_person_page_for_an_analyst_has_no_off_boarding(self, open_page):
        """There is no button."""
        at = person_page(open_page, ANALYST, user=USER)
        assert "End all tokens and requests" not in labels(at)

    @pytest.mark.parametrize("who", [ADMIN, SUPPORT])
    def test_off_boarding_when_confirmed_ends_all_once(self, demo, open_page, who):
        """The dialog tells a limit to those who have one; the receipt has links."""
        at = person_page(open_page, who, user=USER)
        live = len(at.dataframe[0].value)
        at.button(key="off_boarding_begin").click().run()
        words = values(at.markdown)
        assert any("1 token in 1 organization stops working" in word for word in words)
        limited = "Only the organizations that you manage are covered." in words
        assert limited == (who == SUPPORT)
        at.text_input(key="off_boarding_reason").set_value("left the office")
        at.button(key="off_boarding_do").click().run()
        assert "**1 token and 3 pending requests ended**" in values(at.markdown)
        assert query(demo, "SELECT count(*) FROM operation") == [(live,)]
        assert set(query(demo, "SELECT reason FROM audit_event WHERE subject = :u", u=USER)) == {
            ("left the office",)
        }
        links = [b for b in at.button if (b.key or "").startswith("left_")]
        assert len(links) == live
        links[0].click().run()
        assert "Done together with" in [s.value for s in at.subheader]

    def test_off_boarding_when_tokens_changed_ends_nothing(self, demo, open_page):
        """Look again plans with the tokens of now."""
        at = person_page(open_page, user=USER)
        at.button(key="off_boarding_begin").click().run()
        execute_sql(
            demo,
            "UPDATE token SET state = 'removed', ended_at = 1, ended_from = 'accepted' WHERE"
            " state = 'accepted' AND member_id IN (SELECT member_id FROM member WHERE"
            " username = :u)",
            u=USER,
        )
        at.button(key="off_boarding_do").click().run()
        assert at.error[0].value.startswith("Nothing was done")
        assert query(demo, "SELECT count(*) FROM operation") == [(0,)]
        at.button(key="off_boarding_again").click().run()
        assert any(
            "3 pending requests or exported tokens end" in word for word in values(at.markdown)
        )

    def test_off_boarding_when_cancelled_changes_nothing(self, demo, open_page):
        """The dialog is closed."""
        at = person_page(open_page, user=USER)
        at.button(key="off_boarding_begin").click().run()
        at.button(key="off_boarding_cancel").click().run()
        assert "End them all" not in labels(at)
        assert query(demo, "SELECT count(*) FROM operation") == [(0,)]

    def test_history_has_who_removed_the_token_and_why(self, demo, open_page):
        """The operation is about everybody in its result rows."""
        act(demo, Action.REMOVE, 9, reason="laptop lost")
        (name,) = query(
            demo,
            "SELECT m.username FROM operation_result r JOIN member m ON m.member_id = r.member_id"
            " WHERE r.result = 'done' LIMIT 1",
        )[0]
        at = person_page(open_page, user=name)
        history = at.dataframe[-1].value.iloc[0]
        assert history["What happened"].startswith("Remove Token")
        assert (history["Who"], history["Reason"]) == (ADMIN, "laptop lost")
        (show,) = [box for box in at.selectbox if box.label == "Show"]
        show.set_value("actor").run()
        assert any(text.startswith("Nothing is recorded here") for text in values(at.caption))

    def test_token_of_an_inactive_organization_is_marked_refused(self, demo, open_page):
        """It is accepted, and does not verify (ruling 13)."""
        execute_sql(demo, "UPDATE organization SET status = 'inactive'")
        at = person_page(open_page, user=USER)
        assert set(at.dataframe[0].value["API Token"]) == {
            "✓ refused: inactive",
            "Pending refused: inactive",
        }

    def test_old_address_of_activity_leads_to_the_person(self, open_page):
        """`activity?person=adoyle`, as links were before."""
        at = open_page("activity")
        at.query_params["person"] = USER
        at.run()
        assert facts(at)["Username"] == USER

    def test_token_in_the_address_is_not_shown(self, open_page):
        """The address is emptied."""
        (token,) = mint(1, "demo")
        at = person_page(open_page, user=token)
        assert values(at.warning) == [REFUSED_TEXT]
        assert not at.query_params

    def test_markup_in_a_name_is_shown_as_written(self, demo, open_page):
        """In the title, the facts and the dialog."""
        for table in ("user_account", "member"):
            execute_sql(demo, f"UPDATE {table} SET name = :n WHERE username = :u", n=MARKUP, u=USER)
        at = person_page(open_page, user=USER)
        at.button(key="off_boarding_begin").click().run()
        drawn = [*values(at.markdown), *values(at.caption), *values(at.header), *labels(at)]
        assert not [text for text in drawn if "![i](" in text or "<b>A" in text]

    @pytest.mark.parametrize("who", ["nobody", "<b>*x*</b>"])
    def test_person_when_unknown_says_there_is_none(self, open_page, who):
        """A typed name is shown as it is written."""
        at = person_page(open_page, user=who)
        assert at.warning[0].value.startswith("There is no user")
        assert "<b>" not in at.warning[0].value

    def test_person_of_another_organization_says_there_is_none(self, demo, open_page):
        """Support of one organization does not learn about users of another."""
        stranger = query(demo, "SELECT username FROM member WHERE organization_id = 'NVTBL2'")[0][0]
        at = person_page(open_page, SUPPORT, user=stranger)
        assert values(at.warning) == [f"There is no user {stranger}."]
