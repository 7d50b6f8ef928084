"""My API tokens: accept, copy the new token once, decline."""

import pickle
from datetime import date

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from lib.domain.access import Actor
from lib.domain.token_format import is_well_formed
from lib.operations import own_tokens
from lib.settings import ROOT
from lib.ui.app_context import app_context
from lib.ui.components.secret_reveal import ShownSecret
from tests.support.page import MARKUP, USER, execute_sql, press, query, values

GONE = "This is no longer pending: it was accepted, declined or ended in the meantime."
EXPORTED = "acastillo"  # has an exported token pending, in the demo


def pending(engine: Engine, person: str = USER) -> list[str]:
    """Return the ids of the pending tokens of `person`, newest first."""
    rows = query(
        engine,
        "SELECT t.token_id FROM token t JOIN member m ON m.organization_id = t.organization_id"
        " AND m.member_id = t.member_id WHERE m.username = :u AND t.state = 'pending'"
        " ORDER BY t.created_at DESC, t.token_id",
        u=person,
    )
    return [row[0] for row in rows]


def state(engine: Engine, token_id: str) -> str:
    """Return the state of a token."""
    return query(engine, "SELECT state FROM token WHERE token_id = :t", t=token_id)[0][0]


def notices(at: AppTest) -> list[str]:
    """Return the messages of the last step."""
    return [*values(at.main.info), *values(at.main.error)]


class TestLanding:
    """Where people come who ask for no page."""

    def test_an_ordinary_person_lands_here_and_nothing_is_refused(self, demo):
        """Organizations, the default, is for others."""
        at = AppTest.from_file(ROOT / "pages" / "navigation.py", default_timeout=20)
        at.session_state["signed_in_as"] = USER
        at.run()
        assert at.header[0].value == "My API tokens"
        assert query(demo, "SELECT count(*) FROM audit_event WHERE action = 'refusal'") == [(0,)]


class TestAccept:
    """Accepting a request makes a token, which is shown once."""

    def test_page_lists_pending_tokens_before_accepted_ones(self, demo, open_page):
        """Each with its place and its date."""
        at = open_page("my_api_tokens", person=USER)
        assert values(at.subheader) == ["Pending", "Accepted"]
        assert "**Juniper County Recorder** · eRecording" in values(at.main.markdown)
        assert len([b for b in at.button if b.label == "Accept"]) == len(pending(demo))
        frame = at.dataframe[0].value
        assert list(frame) == ["Organization", "Service", "Token", "Last used", "Expires"]
        assert frame["Token"].str.fullmatch(r"demo_\w{4}…").all()

    def test_page_after_an_undo_says_which_tokens_were_restored(self, demo, open_page):
        """Accepted ones in a column of the table, pending ones in their line."""
        execute_sql(
            demo,
            "UPDATE token SET revives = token_id, first_token_id = token_id,"
            " created_at = 1763900000000 WHERE ended_at IS NULL AND member_id IN"
            " (SELECT member_id FROM member WHERE username = :u)",
            u=USER,
        )
        at = open_page("my_api_tokens", person=USER)
        assert set(at.dataframe[0].value["Restored"]) == {date(2025, 11, 23)}
        restored = [c for c in values(at.caption) if c.startswith("Restored Nov 23, 2025")]
        assert len(restored) == len(pending(demo))

    @pytest.mark.parametrize(("expires_at", "ends"), [(4_102_444_800_000, True), (None, False)])
    def test_pending_exported_token_says_when_it_ends(self, demo, open_page, expires_at, ends):
        """A token without expiry has no end."""
        (token_id,) = pending(demo, EXPORTED)
        statement = "UPDATE token SET expires_at = :at WHERE token_id = :t"
        execute_sql(demo, statement, at=expires_at, t=token_id)
        captions = values(open_page("my_api_tokens", person=EXPORTED).caption)
        assert any("it works already until Jan 1, 2100." in each for each in captions) is ends

    def test_pending_token_says_when_accepting_ends_another(self, demo, open_page):
        """If the person has a token for the same organization and service."""
        sentence = "; the token that you have stops working then"
        execute_sql(
            demo,
            "UPDATE token SET service_id = p.service_id FROM token p WHERE p.token_id = :id"
            " AND token.member_id = p.member_id AND token.state = 'accepted'",
            id=pending(demo)[0],
        )
        captions = values(open_page("my_api_tokens", person=USER).caption)
        assert sum("Accept it to see the token" in caption for caption in captions) == 3
        assert sum(sentence in caption for caption in captions) == 1

    def test_new_token_is_shown_until_it_is_copied(self, demo, open_page):
        """It verifies; after `I have copied it` the page has it nowhere."""
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{token_id}").click().run()
        token = at.code[0].value
        assert is_well_formed(token, "demo")
        assert state(demo, token_id) == "accepted"
        digest = query(demo, "SELECT digest FROM token WHERE token_id = :t", t=token_id)[0][0]
        assert app_context().minting.digests([token]) == [digest]
        press(at, "I have copied it")
        assert not at.code
        assert not at.run().code

    def test_session_state_after_accepting_has_no_token(self, demo, open_page):
        """It has the id only."""
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{token_id}").click().run()
        token = at.code[0].value
        remembered = at.session_state["session"]
        assert remembered.page_states[ShownSecret].made_by == token_id
        assert token not in repr(remembered)
        assert token.encode() not in pickle.dumps(remembered)
        assert token not in repr(at.session_state)

    def test_new_token_when_the_person_comes_back_from_another_page_is_there(self, demo, open_page):
        """Until it was copied, or its ten minutes are over."""
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{pending(demo)[0]}").click().run()
        assert at.run().code
        at.switch_page("help.py").run()
        assert not at.code
        at.switch_page("my_api_tokens.py").run()
        assert at.code
        press(at, "I have copied it")
        assert not at.code

    def test_new_token_when_another_person_signs_in_is_gone(self, demo, open_page):
        """Nobody sees another person's token."""
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{pending(demo)[0]}").click().run()
        at.session_state["signed_in_as"] = EXPORTED
        assert not at.run().code
        at.session_state["signed_in_as"] = USER
        assert not at.run().code

    def test_new_token_after_ten_minutes_is_gone(self, demo, open_page):
        """The page says so."""
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{token_id}").click().run()
        one_time_secrets = app_context().one_time_secrets
        for key in list(one_time_secrets._kept):
            one_time_secrets.drop(key)
        at.run()
        assert not at.code
        assert notices(at)[0].startswith("The new token is no longer shown.")

    def test_accept_while_a_new_token_is_shown_is_disabled(self, demo, open_page):
        """A second one would hide the first."""
        first, second, _ = pending(demo)
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{first}").click().run()
        assert at.button(key=f"accept_{second}").disabled
        press(at, "I have copied it")
        assert not at.button(key=f"accept_{second}").disabled

    def test_accept_of_an_exported_token_shows_no_token(self, demo, open_page):
        """The person has it from the CSV."""
        (token_id,) = pending(demo, EXPORTED)
        at = open_page("my_api_tokens", person=EXPORTED)
        at.button(key=f"accept_{token_id}").click().run()
        assert not at.code
        assert notices(at) == [
            "Accepted. You have this token from the CSV, so it is not shown here."
        ]
        assert state(demo, token_id) == "accepted"

    def test_accept_and_decline_when_no_longer_pending_say_so(self, demo, open_page):
        """After a second tab, a second click, or an administrator's cancel."""
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        actor = Actor(USER, "")
        (mine,) = [
            t
            for t in own_tokens.list_own(demo, app_context().clock, actor)
            if t.token_id == token_id
        ]
        own_tokens.decline(app_context().unit_of_work, actor, mine)
        at.button(key=f"accept_{token_id}").click().run()
        assert notices(at) == [GONE]
        assert not at.code
        assert state(demo, token_id) == "declined"

    def test_accept_in_an_inactive_organization_is_refused(self, demo, open_page):
        """User, organization and service must be active."""
        execute_sql(demo, "UPDATE organization SET status = 'inactive'")
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"accept_{token_id}").click().run()
        assert notices(at)[0].startswith("This cannot be accepted now")
        assert state(demo, token_id) == "pending"


class TestDecline:
    """Declining takes one confirmation."""

    def test_decline_when_clicked_asks_and_changes_nothing(self, demo, open_page):
        """The confirmation then declines."""
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"decline_{token_id}").click().run()
        assert state(demo, token_id) == "pending"
        assert [b.label for b in at.button][-2:] == ["Keep it", "Decline"]
        press(at, "Decline")
        assert state(demo, token_id) == "declined"
        assert notices(at) == ["Declined."]
        assert "Keep it" not in [b.label for b in at.button]

    def test_decline_when_kept_changes_nothing(self, demo, open_page):
        """The dialog closes and the request stays."""
        token_id = pending(demo)[0]
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"decline_{token_id}").click().run()
        press(at, "Keep it")
        assert state(demo, token_id) == "pending"
        assert "Keep it" not in [b.label for b in at.button]

    def test_decline_of_an_exported_token_says_it_stops_working(self, demo, open_page):
        """The dialog names the effect."""
        (token_id,) = pending(demo, EXPORTED)
        at = open_page("my_api_tokens", person=EXPORTED)
        at.button(key=f"decline_{token_id}").click().run()
        assert "The token from the CSV **stops working at once**." in values(at.markdown)

    def test_decline_dialog_when_another_person_signs_in_is_closed(self, demo, open_page):
        """They are not asked."""
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"decline_{pending(demo)[0]}").click().run()
        at.session_state["signed_in_as"] = EXPORTED
        assert "Keep it" not in [b.label for b in at.run().button]


class TestWho:
    """Everybody has this page, with their own tokens."""

    def test_page_without_tokens_has_an_empty_state(self, open_page):
        """It says how a person gets a token."""
        at = open_page("my_api_tokens", by_menu=True)
        assert "**You have no API tokens**" in values(at.main.markdown)
        assert not at.dataframe

    @pytest.mark.parametrize("label", ["Accept", "Decline"])
    def test_page_with_markup_in_a_name_shows_it_as_written(self, demo, open_page, label):
        """In the list and in the dialog."""
        execute_sql(
            demo, "UPDATE organization SET name = :n WHERE organization_id = 'UTCJF1'", n=MARKUP
        )
        at = open_page("my_api_tokens", person=USER)
        at.button(key=f"{label.lower()}_{pending(demo)[0]}").click().run()
        shown = [*values(at.main.markdown), *values(at.caption)]
        assert any(r"\!\[i\]\(https\:" in text for text in shown)
        assert not any("![i](" in text for text in shown)
