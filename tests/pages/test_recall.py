"""The Recall page: find the tokens of a text, and end them."""

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from lib.domain.leaks.containers import UNPACK_YOURSELF
from lib.domain.states import Action
from lib.operations.actions import execute, plan_action
from lib.ui.app_context import app_context
from tests.support.actions import exported
from tests.support.directory import ADMIN
from tests.support.leak_forms import FILES, FORMS, encrypted_zip
from tests.support.page import MARKUP, USER, execute_sql, query, values

ORG, SERVICE = "UTCJF1", "erecording"


@pytest.fixture
def csv(demo: Engine) -> str:
    """The text of an export of three new tokens."""
    ids = query(
        demo,
        "SELECT member_id FROM member WHERE organization_id = :o AND status = 'active'"
        " ORDER BY sort_key LIMIT 3",
        o=ORG,
    )
    members = [row[0] for row in ids]
    plan = plan_action(app_context().unit_of_work, ADMIN, Action.GENERATE, ORG, SERVICE, members)
    outcome = execute(app_context().unit_of_work, ADMIN, plan, app_context().minting)
    assert outcome.csv
    return outcome.csv.decode("utf-8-sig")


def look_up(at: AppTest, text: str) -> AppTest:
    """Paste a text and press `Look up`."""
    at.text_area(key="recall_text").set_value(text)
    at.button(key="recall_look_up").click().run()
    assert not at.exception
    return at


def press(at: AppTest, key: str) -> AppTest:
    """Press a button by its key."""
    at.button(key=key).click().run()
    assert not at.exception
    return at


class TestLookUp:
    """What the page finds in a text."""

    def test_look_up_without_a_text_says_nothing_was_searched(self, open_page):
        """It does not say that no token was found."""
        at = look_up(open_page("recall"), " \n ")
        assert "Nothing was searched." in at.error[0].value
        assert "**No token of ours.**" not in values(at.markdown)

    def test_look_up_of_an_export_shows_owners_and_the_operation(self, open_page, csv):
        """And that the tokens work."""
        at = look_up(open_page("recall"), csv)
        assert "**3 tokens found**, 3 of them work." in values(at.markdown)
        frame = at.dataframe[0].value
        assert list(frame.columns) == [
            "Name",
            "Username",
            "Organization",
            "Service",
            "Token",
            "State",
        ]
        assert set(frame["State"]) == {"Pending"}
        assert [link.proto.page for link in at.get("page_link")] == ["activity"]

    @pytest.mark.parametrize("way", ["pasted", "dropped"])
    def test_look_up_finds_every_leak_form(self, demo, open_page, way):
        """Pasted, and in a dropped file."""
        ids = query(
            demo,
            "SELECT member_id FROM member WHERE organization_id = :o AND status = 'active'"
            " ORDER BY sort_key LIMIT 1",
            o=ORG,
        )
        plan = plan_action(app_context().unit_of_work, ADMIN, Action.GENERATE, ORG, SERVICE, ids[0])
        outcome = execute(app_context().unit_of_work, ADMIN, plan, app_context().minting)
        (token,) = exported(outcome)
        at = open_page("recall")
        found = []
        forms = FORMS | FILES if way == "dropped" else FORMS
        for name, form in forms.items():
            text = form(token)
            if way == "dropped":
                content = text.encode() if isinstance(text, str) else text
                at.file_uploader[0].set_value(("leaked.log", content, "text/plain"))
                at.button(key="recall_look_up").click().run()
            else:
                look_up(at, text)
            found += [name] * ("**1 token found**, 1 of them works." in values(at.markdown))
            press(at, "recall_away")
        print(f"page, {way}: {len(found)} of {len(forms)} leak forms found")
        assert found == list(forms)

    def test_look_up_of_what_cannot_be_opened_draws_a_warning(self, open_page):
        """Each file by its name, without markup, and what to do."""
        at = open_page("recall")
        at.file_uploader[0].set_value(("keys.zip", encrypted_zip(f"a{MARKUP}"), "application/zip"))
        press(at, "recall_look_up")
        assert "**No token of ours.**" in values(at.markdown)
        (warning,) = values(at.warning)
        assert warning.startswith("**Not looked into:**\n\n- keys\\.zip › a")
        assert "is encrypted" in warning
        assert MARKUP not in warning
        assert warning.endswith(UNPACK_YOURSELF)

    def test_look_up_of_an_empty_file_says_nothing_was_searched(self, open_page):
        """As without a file."""
        at = open_page("recall")
        at.file_uploader[0].set_value(("empty.log", b"", "text/plain"))
        press(at, "recall_look_up")
        assert "Nothing was searched." in at.error[0].value

    def test_look_up_keeps_no_token_in_session_state(self, open_page, csv):
        """It keeps ids only."""
        at = look_up(open_page("recall"), csv)
        token = csv.splitlines()[1].split(",")[6]
        kept = repr(at._session_state.filtered_state)
        assert token.startswith("demo_")
        assert token not in kept

    @pytest.mark.parametrize("text", ["nothing here", "demo_short", MARKUP])
    def test_look_up_without_known_tokens_says_so(self, open_page, text):
        """Nothing can be ended."""
        at = look_up(open_page("recall"), text)
        assert "**No token of ours.**" in values(at.markdown)
        assert not [b for b in at.button if b.key == "recall_end"]

    def test_another_text_shows_the_empty_form(self, open_page, csv):
        """The way back."""
        at = press(look_up(open_page("recall"), csv), "recall_away")
        assert at.text_area(key="recall_text").value == ""


class TestEnd:
    """Ending the found tokens takes one confirmation."""

    def test_end_when_confirmed_ends_all_found_tokens(self, demo, open_page, csv):
        """The dialog has the number; the receipt links to the operation."""
        at = press(look_up(open_page("recall"), csv), "recall_end")
        assert any("**3 tokens**: each **stops working at once**" in m for m in values(at.markdown))
        press(at, "recall_do")
        assert "**3 tokens ended**" in values(at.markdown)
        ended = query(demo, "SELECT count(*) FROM operation WHERE batch_id <> ''")
        assert ended == [(1,)]

    def test_end_when_cancelled_changes_nothing(self, demo, open_page, csv):
        """Only the last button writes."""
        press(press(look_up(open_page("recall"), csv), "recall_end"), "recall_cancel")
        assert query(demo, "SELECT count(*) FROM operation WHERE batch_id <> ''") == [(0,)]

    def test_end_after_widening_ends_the_whole_export(self, open_page, csv):
        """One line of the file is enough to find it."""
        at = look_up(open_page("recall"), csv.splitlines()[1])
        assert "**1 token found**, 1 of them works." in values(at.markdown)
        press(at, "recall_widen")
        assert "**3 tokens found**, 3 of them work." in values(at.markdown)
        assert not [b for b in at.button if b.key == "recall_widen"]

    def test_end_when_tokens_changed_is_refused(self, demo, open_page, csv):
        """A message, and nothing is written."""
        at = press(look_up(open_page("recall"), csv), "recall_end")
        execute_sql(
            demo,
            "UPDATE token SET state = 'accepted', accepted_at = 1 WHERE state = 'pending'"
            " AND digest IS NOT NULL AND made_by_operation IS NOT NULL",
        )
        press(at, "recall_do")
        assert any(value.startswith("Nothing was done") for value in values(at.error))
        assert query(demo, "SELECT count(*) FROM operation WHERE batch_id <> ''") == [(0,)]


class TestWho:
    """API administrators and support may open the page."""

    @pytest.mark.parametrize("person", [USER, "ivarga"])
    def test_recall_page_for_a_user_or_an_analyst_says_who_may_open_it(self, open_page, person):
        """No form is drawn."""
        at = open_page("recall", person=person)
        assert values(at.info) == ["This page is for API administrators and Support."]
        assert not at.text_area

    def test_look_up_by_support_of_one_organization_finds_its_tokens_only(self, open_page, csv):
        """Others count as unknown."""
        at = look_up(open_page("recall", person="psorel"), csv)
        assert "**3 tokens found**, 3 of them work." in values(at.markdown)
