"""Activity: the list, one operation, and four eyes."""

from datetime import date

import pytest

from lib.domain.access import Actor
from lib.domain.activity import KINDS, Group
from lib.domain.audit import Event, EventAction
from lib.domain.clock import HOUR, MINUTE
from lib.domain.states import Action, ExistingTokens
from lib.operations import activity, approvals, directory
from lib.operations.actions import execute, plan_action
from lib.ui.activity import activity_list
from lib.ui.app_context import app_context
from tests.support.actions import asked_for
from tests.support.activity import add_events
from tests.support.page import MARKUP, USER, execute_sql, facts, query, values

ORG, SERVICE = "UTCJF1", "erecording"
SUPPORT, ANALYST, ADMIN, OTHER_ADMIN = "psorel", "ivarga", "mhale", "rfenwick"


def members(engine, count: int, organization_id: str = ORG) -> list[str]:
    """Return the ids of the first users of an organization, in table order."""
    rows = query(
        engine,
        "SELECT member_id FROM member WHERE organization_id = :organization AND status = 'active'"
        " ORDER BY sort_key LIMIT :count",
        organization=organization_id,
        count=count,
    )
    return [row[0] for row in rows]


def someone(username: str) -> Actor:
    """Return a person of the demo with their roles."""
    return directory.find_actor(app_context().engine, username)


def plan(engine, action: Action, count: int, organization_id: str = ORG, who: str = ADMIN):
    """Plan an action on the first users of an organization."""
    ids = members(engine, count, organization_id)
    return plan_action(
        app_context().unit_of_work, someone(who), action, organization_id, SERVICE, ids
    )


def act(engine, action: Action, count: int, organization_id: str = ORG, *, reason: str = ""):
    """Execute an action; return the address of its page."""
    planned = plan(engine, action, count, organization_id)
    execute(
        app_context().unit_of_work, someone(ADMIN), planned, app_context().minting, reason=reason
    )
    return f"{organization_id}-{planned.operation_id}"


def address_of(open_page, who: str = ADMIN, /, **address: str):
    """Open Activity at a typed address."""
    at = open_page("activity", person=who)
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def labels(at) -> list[str]:
    """Return the labels of all buttons, without Markdown."""
    return [b.label.removeprefix(":blue[").removesuffix("]") for b in at.button]


def press(at, label: str):
    """Press the button with this label."""
    (button,) = [b for b in at.button if label in {b.label, b.label[6:-1]}]
    return button.click().run()


def choose(at, label: str, option) -> None:
    """Choose `option` in the selectbox with this label."""
    (box,) = [b for b in at.selectbox if b.label == label]
    box.set_value(option).run()


class TestList:
    """The list of events, newest first."""

    def test_list_after_an_operation_shows_its_row(self, demo, open_page):
        """The row has the manual's words, place, counts, state and reason."""
        act(demo, Action.GENERATE, 3, reason="ticket 7")
        at = open_page("activity")
        assert at.header[0].value == "Activity"
        row = at.dataframe[0].value.iloc[0]
        assert (row["Who"], row["What"]) == (ADMIN, "Generate & Export Tokens")
        assert (row["Organization"], row["Service"], row["Users"]) == (ORG, "eRecording", "3")
        assert (row["State"], row["Reason"]) == (["Done"], "ticket 7")
        assert "1 event, newest first" in values(at.caption)

    def test_list_without_events_has_an_empty_state(self, open_page):
        """It says what will be listed here."""
        at = open_page("activity")
        assert "**No activity yet**" in values(at.markdown)
        assert not at.dataframe
        assert "Clear filters" not in labels(at)

    def test_list_with_every_kind_of_event_has_a_label_for_each(self, demo, open_page):
        """Refusals of all kinds are among them."""
        details = ["remove: NotAllowed", "page: access in UTCJF1", "sign-in: Inactive", "odd"]
        events = [
            Event(a, ADMIN, "", ORG, subject=USER)
            for a in KINDS[Group.EVERYTHING]
            if a is not EventAction.REFUSAL
        ]
        events += [Event(EventAction.REFUSAL, ADMIN, "", ORG, detail=d) for d in details]
        execute_sql(demo, "DROP TRIGGER audit_event_no_delete")
        execute_sql(demo, "DELETE FROM audit_event")
        add_events(demo, [(n, event) for n, event in enumerate(events)])
        at = open_page("activity")
        choose(at, "Show", activity.ActivityFilter().kind.EVERYTHING)
        frame = at.dataframe[0].value
        assert len(frame) == len(events)
        assert frame["What"].all()
        assert set(frame["What"]) >= {
            f"Remove Tokens: {USER}",
            "Asked: Generate & Export Tokens",
            "Refused: Remove Tokens",
            "Refused: open a page",
            "Refused: Sign in",
            "Signed in",
            "Imported a directory",
        }
        assert set(frame["Reason"]) >= {"not allowed", "an inactive account"}

    def test_filters_by_kind_organization_and_date_leave_what_fits(self, demo, open_page):
        """Without a match the page offers to clear the filters."""
        act(demo, Action.REMOVE, 5)
        act(demo, Action.REQUEST, 5, "NVTBL2")
        at = open_page("activity")
        assert len(at.dataframe[0].value) == 2
        choose(at, "Show", "remove")
        assert list(at.dataframe[0].value["What"]) == ["Remove Tokens"]
        choose(at, "Show", "operations")
        choose(at, "Organization", "NVTBL2")
        assert list(at.dataframe[0].value["Organization"]) == ["NVTBL2"]
        at.date_input(key="activity_to").set_value(date(2020, 1, 1)).run()
        assert "**Nothing matches**" in values(at.markdown)
        press(at, "Clear filters")
        assert len(at.dataframe[0].value) == 2

    def test_person_filter_by_part_of_a_name_offers_who_fits(self, demo, open_page):
        """One person is taken at once; several are offered; none is said."""
        act(demo, Action.REMOVE, 5)
        at = open_page("activity")
        at.text_input(key="activity_actor").set_value("morgan").run()
        assert len(at.dataframe[0].value) == 1
        at.text_input(key="activity_actor").set_value("ale").run()
        (which,) = [b for b in at.selectbox if b.label.startswith("Who did it: which of")]
        assert len(which.options) > 1
        at.text_input(key="activity_actor").set_value("zz*zz").run()
        assert "**No such person**" in values(at.markdown)
        assert any(r"zz\*zz" in text for text in values(at.caption))
        press(at, "Clear filters")
        assert len(at.dataframe[0].value) == 1

    def test_about_whom_finds_the_operations_with_a_result_for_the_person(self, demo, open_page):
        """Also skipped users; not what the person did to others, unless both filters say so."""
        act(demo, Action.REMOVE, 5, reason="laptop lost")
        (name,) = query(
            demo,
            "SELECT m.username FROM operation_result r JOIN member m ON m.member_id = r.member_id"
            " WHERE r.result <> 'done' LIMIT 1",
        )[0]
        at = open_page("activity")
        at.text_input(key="activity_about").set_value(name).run()
        assert list(at.dataframe[0].value["Reason"]) == ["laptop lost"]
        at.text_input(key="activity_actor").set_value(name).run()
        assert "**Nothing matches**" in values(at.markdown)
        at.text_input(key="activity_actor").set_value(ADMIN).run()
        assert len(at.dataframe[0].value) == 1

    def test_downloads_have_the_downloads_of_tokens(self, demo, open_page):
        """Generate & Export is one."""
        act(demo, Action.GENERATE, 3)
        act(demo, Action.REMOVE, 9)
        at = open_page("activity")
        choose(at, "Show", Group.DOWNLOAD)
        assert list(at.dataframe[0].value["What"]) == ["Generate & Export Tokens"]

    def test_pager_goes_to_the_oldest_page_and_back(self, demo, open_page):
        """Another filter begins at its first page."""
        event = Event(Action.REMOVE, ADMIN, "", ORG, operation_id="0")
        events = [event._replace(users=n) for n in range(120)]
        add_events(demo, [(n, e) for n, e in enumerate(events)])
        at = open_page("activity")
        pages = []
        while True:
            pages.append([int(n) for n in at.dataframe[0].value["Users"] if n])
            if at.button(key="activity_on").disabled:
                break
            at.button(key="activity_on").click().run()
        assert [len(page) for page in pages] == [50, 50, 19]  # of none there are no users to show
        assert [n for page in pages for n in page] == list(range(119, 0, -1))
        assert "101–120 from the newest" in values(at.caption)
        at.button(key="activity_back").click().run()
        assert at.dataframe[0].value["Users"].iloc[0] == "69"
        choose(at, "Organization", ORG)
        assert "The newest 50" in values(at.caption)

    def test_selectboxes_open_an_operation_and_a_person(self, demo, open_page):
        """They work with the keyboard; Back to Activity returns to the list."""
        address = act(demo, Action.REMOVE, 5)
        at = open_page("activity")
        choose(at, "Open an operation", address)
        assert at.header[0].value == "Remove Tokens"
        assert at.query_params["operation"] in (address, [address])
        press(at, "Back to Activity")
        assert (at.header[0].value, dict(at.query_params)) == ("Activity", {})
        choose(at, "Open a person", ADMIN)
        assert at.header[0].value == "Morgan Hale"


class TestWhoSeesWhat:
    """Each role sees the events of its organizations only."""

    def test_page_for_a_user_says_who_may_open_it(self, open_page):
        """A user without a role."""
        at = open_page("activity", person=USER)
        assert "This page is for" in at.info[0].value
        assert not at.dataframe

    def test_support_of_one_organization_sees_its_events_only(self, demo, open_page):
        """No file, no sign-ins and no other organization are offered."""
        act(demo, Action.REMOVE, 5)
        act(demo, Action.REQUEST, 5, "NVTBL2")
        at = open_page("activity", person=SUPPORT)
        assert set(at.dataframe[0].value["Organization"]) == {ORG}
        boxes = {b.label: b.options for b in at.selectbox}
        assert "Sign-ins" not in boxes["Show"]
        assert boxes["Organization"] == ["Any", f"Juniper County Recorder · {ORG}"]
        assert not at.get("download_button")

    @pytest.mark.parametrize("who", [ANALYST, ADMIN])
    def test_download_for_who_may_export_has_the_filtered_events(self, demo, open_page, who):
        """It has no secret."""
        act(demo, Action.GENERATE, 3, reason="=1+1")
        at = open_page("activity", person=who)
        assert [b.label for b in at.get("download_button")] == ["Download as CSV"]
        content = activity_list.activity_csv(app_context(), someone(who), activity.ActivityFilter())
        lines = content.decode("utf-8-sig").splitlines()
        assert len(lines) == 2
        assert "Generate & Export Tokens" in lines[1]
        assert "'=1+1" in lines[1]
        assert "demo_" not in lines[1]

    @pytest.mark.parametrize("address", ["", "NOSUCH-1", f"{ORG}-0", "x"])
    def test_operation_when_unknown_or_of_others_says_there_is_none(self, demo, open_page, address):
        """Both cases have the same message and a link back."""
        foreign = act(demo, Action.REQUEST, 5, "NVTBL2")
        at = address_of(open_page, SUPPORT, operation=address or foreign)
        assert values(at.warning) == ["There is no such operation."]
        press(at, "Back to Activity")
        assert at.header[0].value == "Activity"


class TestOperation:
    """The page of one operation."""

    def test_operation_page_has_its_facts_and_users(self, demo, open_page):
        """Who, when, where, why, the file, and the result of each user."""
        address = act(demo, Action.GENERATE, 5, reason="ticket 7")
        at = address_of(open_page, operation=address)
        known = facts(at)
        assert at.header[0].value == "Generate & Export Tokens"
        assert known["Organization"] == f"Juniper County Recorder · {ORG}"
        assert (known["Who"], known["Reason"]) == ("Morgan Hale · mhale", "ticket 7")
        assert known["CSV file"].startswith(f"{ORG}-{SERVICE}-")
        assert len(known["SHA-256"]) == 64
        frame = at.dataframe[0].value
        assert list(frame.columns) == ["Name", "Username", "Email", "Result"]
        assert list(frame["Result"]) == ["Done"] * 5
        assert "1–5 of 5 users" in values(at.caption)

    def test_operation_page_shows_why_users_were_skipped(self, demo, open_page):
        """With the words of the lifecycle."""
        address = act(demo, Action.REMOVE, 12)
        at = address_of(open_page, operation=address)
        results = set(at.dataframe[0].value["Result"])
        assert results == {"Done", "Skipped: no accepted token"}
        assert "skipped" in facts(at)["Users"]

    def test_operation_with_many_users_has_pages_and_a_search(self, demo, open_page):
        """A page has 50 users."""
        address = act(demo, Action.GENERATE, 120)
        at = address_of(open_page, operation=address)
        first = at.dataframe[0].value["Username"]
        at.button(key="operation_results_on").click().run()
        second = at.dataframe[0].value["Username"]
        assert (len(first), len(second), len({*first, *second})) == (50, 50, 100)
        assert "51–100 of 120 users" in values(at.caption)
        at.text_input(key="operation_search").set_value(second[0]).run()
        assert list(at.dataframe[0].value["Username"]) == [second[0]]
        at.text_input(key="operation_search").set_value("zzzz").run()
        assert "No users match. Try fewer letters." in values(at.caption)

    def test_operation_page_opens_a_user(self, demo, open_page):
        """The page of that person (User 360)."""
        at = address_of(open_page, operation=act(demo, Action.GENERATE, 3))
        username = at.dataframe[0].value["Username"][0]
        choose(at, "Open a person", username)
        assert facts(at)["Username"] == username

    @pytest.mark.parametrize(("who", "offered"), [(ADMIN, 1), (ANALYST, 1), (SUPPORT, 0)])
    def test_results_file_is_offered_to_who_may_export(self, demo, open_page, who, offered):
        """Others see no button."""
        at = address_of(open_page, who, operation=act(demo, Action.REMOVE, 5))
        assert len(at.get("download_button")) == offered

    def test_results_file_of_an_own_operation_is_offered_to_support(self, demo, open_page):
        """Ruling 11."""
        address = act(demo, Action.REMOVE, 5)
        execute_sql(demo, "UPDATE operation SET actor = :who", who=SUPPORT)
        at = address_of(open_page, SUPPORT, operation=address)
        assert len(at.get("download_button")) == 1


class TestUndo:
    """Undo from the page of an operation."""

    def test_undo_from_the_page_restores_and_names_the_undo(self, demo, open_page):
        """The page of the undo cannot be undone, and says so."""
        address = act(demo, Action.GENERATE, 3)
        at = address_of(open_page, operation=address)
        at.button(key="undo_begin").click().run()
        at.button(key="undo_do").click().run()
        assert "**3 users restored**" in values(at.markdown)
        assert at.button(key="undo_begin").disabled
        assert "This operation was undone." in values(at.caption)
        press(at, "Open the undo")
        assert at.header[0].value == "Undo: Generate & Export Tokens"
        assert at.button(key="undo_begin").disabled
        assert any("An undo cannot be undone." in text for text in values(at.caption))
        press(at, "Open what was undone")
        assert at.header[0].value == "Generate & Export Tokens"

    def test_undo_for_who_may_not_do_the_action_is_disabled(self, demo, open_page):
        """Support may not generate tokens, and an analyst nothing."""
        address = act(demo, Action.GENERATE, 3)
        for who in (SUPPORT, ANALYST):
            at = address_of(open_page, who, operation=address)
            assert at.button(key="undo_begin").disabled
            assert any(text.startswith("You may not undo this") for text in values(at.caption))

    def test_undo_after_the_role_ended_is_refused(self, demo, open_page):
        """Between the preview and the click."""
        at = address_of(open_page, SUPPORT, operation=act(demo, Action.REMOVE, 3))
        at.button(key="undo_begin").click().run()
        execute_sql(demo, "UPDATE role_grant SET role = 'analyst' WHERE username = :w", w=SUPPORT)
        before = query(demo, "SELECT count(*) FROM operation")
        at.button(key="undo_do").click().run()
        assert [text.startswith("You may not do this") for text in values(at.error)] == [True]
        assert query(demo, "SELECT count(*) FROM operation") == before

    def test_page_of_an_operation_that_keeps_tokens_says_so(self, demo, open_page):
        """Ruling 3."""
        unit_of_work = app_context().unit_of_work
        planned = plan_action(
            unit_of_work,
            someone(ADMIN),
            Action.GENERATE,
            ORG,
            SERVICE,
            members(demo, 3),
            ExistingTokens.KEEP,
        )
        execute(unit_of_work, someone(ADMIN), planned, app_context().minting)
        at = address_of(open_page, operation=f"{ORG}-{planned.operation_id}")
        assert facts(at)["Existing tokens"] == "Keep working until the new token is first used"


class TestFourEyes:
    """The approval of a second API administrator, on the page."""

    @pytest.fixture(autouse=True)
    def _four_eyes(self, monkeypatch):
        monkeypatch.setenv("TOKEN_DESK_FOUR_EYES", "2")

    @pytest.fixture
    def asked(self, _four_eyes, demo) -> str:
        """The address of a waiting request."""
        planned = plan(demo, Action.GENERATE, 12)
        approvals.request(app_context().unit_of_work, someone(ADMIN), planned, reason="ticket 7")
        return f"{ORG}-{planned.operation_id}"

    def test_approval_by_another_administrator_opens_the_last_confirmation(self, asked, open_page):
        """The requester then finds it and goes on to the download."""
        at = open_page("activity", person=OTHER_ADMIN)
        assert list(at.dataframe[0].value["State"]) == [["Waiting for approval"]]
        press(at, "Open it")
        assert "**12 selected: 12 get a new token.**" in values(at.markdown)
        assert facts(at)["Reason"] == "ticket 7"
        at.button(key="operation_approve").click().run()
        assert "Nothing has changed yet." in values(at.caption)
        at.button(key="answer_do").click().run()
        assert at.success[0].value.startswith("Approved. mhale finds it under Activity")
        assert "Approve" not in labels(at)
        mine = address_of(open_page, ADMIN, operation=asked)
        assert any("Approved by rfenwick; you have until" in text for text in values(mine.markdown))
        press(mine, "Go on to the download")
        assert mine.header[0].value == "Recipient API Tokens"
        assert [i.label for i in mine.text_input if i.label.startswith("Type")] == [
            "Type 12 to confirm"
        ]
        assert any(
            text.startswith("Step 3 of 3. Nothing changes before") for text in values(mine.caption)
        )

    def test_request_that_keeps_tokens_says_so_to_the_approver(self, demo, open_page):
        """On the page, and in the confirmation of the answer."""
        unit_of_work, ids = app_context().unit_of_work, members(demo, 12)
        at = (someone(ADMIN), Action.GENERATE, ORG, SERVICE, ids, ExistingTokens.KEEP)
        planned = plan_action(unit_of_work, *at)
        approvals.request(unit_of_work, someone(ADMIN), planned)
        page = address_of(open_page, OTHER_ADMIN, operation=f"{ORG}-{planned.operation_id}")
        sentence = "Existing tokens: keep working until the new token is first used."
        assert values(page.markdown).count(sentence) == 1
        page.button(key="operation_approve").click().run()
        assert values(page.markdown).count(sentence) == 2

    def test_request_page_shows_who_granted_the_approvers_role(self, demo, asked, open_page):
        """To whom may answer, and to all once it is answered or done."""
        execute_sql(
            demo,
            "UPDATE role_grant SET granted_by = 'okafor', granted_at = :at"
            " WHERE username = 'rfenwick'",
            at=1_700_000_000_000,
        )
        granted = "was granted by okafor on Nov 14, 2023 22:13 UTC."

        def sentences(person: str) -> list[str]:
            shown = values(address_of(open_page, person, operation=asked).markdown)
            return [text for text in shown if "was granted" in text]

        assert [sentences(who) for who in (OTHER_ADMIN, ADMIN, SUPPORT)] == [
            [f"Your role {granted}"],
            [],
            [],
        ]
        where = (ORG, asked.partition("-")[2])
        approvals.answer(app_context().unit_of_work, someone(OTHER_ADMIN), *where, approve=True)
        execute_sql(demo, "UPDATE role_grant SET granted_by = '' WHERE username = 'rfenwick'")
        for _ in ("approved", "done"):
            assert sentences(OTHER_ADMIN) == [f"Your role {granted}"]
            assert sentences(ADMIN) == [f"The role of rfenwick {granted}"]
            execute(
                app_context().unit_of_work,
                someone(ADMIN),
                asked_for(demo, where[1])[1],
                app_context().minting,
            )

    def test_request_page_for_a_role_that_is_too_new_has_no_buttons(self, demo, asked, open_page):
        """It says who granted the role, and that another must answer."""
        execute_sql(demo, "UPDATE role_grant SET granted_by = 'mhale' WHERE username = 'rfenwick'")
        at = address_of(open_page, OTHER_ADMIN, operation=asked)
        assert not {"Approve", "Reject"} & set(labels(at))
        (sentence,) = [text for text in values(at.markdown) if "was granted by mhale on" in text]
        assert sentence.endswith("Ask another API administrator.")

    def test_request_page_for_the_requester_says_it_waits(self, asked, open_page):
        """It has no buttons to answer."""
        at = address_of(open_page, ADMIN, operation=asked)
        assert any("Waiting for another API administrator" in text for text in values(at.markdown))
        assert not {"Approve", "Reject", "Go on to the download"} & set(labels(at))

    @pytest.mark.parametrize("who", ["dnakano", ANALYST, SUPPORT])
    def test_request_page_for_other_roles_has_no_buttons(self, asked, open_page, who):
        """The list has no notice for them either."""
        at = open_page("activity", person=who)
        assert "Open it" not in labels(at)
        at = address_of(open_page, who, operation=asked)
        assert any("asks for a second API administrator" in text for text in values(at.markdown))
        assert not {"Approve", "Reject"} & set(labels(at))

    def test_request_when_rejected_says_so_to_both(self, asked, open_page):
        """To the requester and to the approver."""
        at = address_of(open_page, OTHER_ADMIN, operation=asked)
        at.button(key="operation_reject").click().run()
        at.button(key="answer_do").click().run()
        assert at.success[0].value.startswith("Rejected.")
        assert "Rejected by rfenwick; nothing was changed." in values(at.markdown)

    def test_request_after_an_hour_cannot_be_answered(self, demo, asked, open_page):
        """Its state is Lapsed."""
        execute_sql(demo, "UPDATE approval SET asked_at = asked_at - :late", late=HOUR + MINUTE)
        at = address_of(open_page, OTHER_ADMIN, operation=asked)
        assert "Nobody answered within the hour: nothing was changed." in values(at.markdown)
        assert "Approve" not in labels(at)
        at = open_page("activity", person=OTHER_ADMIN)
        assert list(at.dataframe[0].value["State"]) == [["Lapsed"]]

    def test_answer_when_answered_elsewhere_says_so(self, demo, asked, open_page):
        """Cancel changes nothing before."""
        at = address_of(open_page, OTHER_ADMIN, operation=asked)
        at.button(key="operation_approve").click().run()
        at.button(key="answer_cancel").click().run()
        assert query(demo, "SELECT state FROM approval") == [("waiting",)]
        at.button(key="operation_approve").click().run()
        where = (ORG, asked.partition("-")[2])
        approvals.answer(app_context().unit_of_work, someone(OTHER_ADMIN), *where, approve=False)
        at.button(key="answer_do").click().run()
        assert "Rejected by rfenwick; nothing was changed." in values(at.markdown)
        assert not at.success

    def test_request_when_done_shows_its_operation_and_events(self, demo, asked, open_page):
        """Asked, approved and done."""
        where = (ORG, asked.partition("-")[2])
        approvals.answer(app_context().unit_of_work, someone(OTHER_ADMIN), *where, approve=True)
        planned = asked_for(demo, where[1])[1]
        execute(app_context().unit_of_work, someone(ADMIN), planned, app_context().minting)
        at = address_of(open_page, OTHER_ADMIN, operation=asked)
        assert facts(at)["Approved"].startswith("rfenwick, ")
        assert list(at.dataframe[1].value["What"]) == [
            "Asked: Generate & Export Tokens",
            "Approved: Generate & Export Tokens",
            "Generate & Export Tokens",
        ]


def test_activity_with_markup_in_names_shows_it_as_written(demo, open_page):
    """In a name, an organization and a reason."""
    for table in ("user_account", "member"):
        execute_sql(demo, f"UPDATE {table} SET name = :n WHERE username = :u", n=MARKUP, u=USER)
    execute_sql(demo, "UPDATE organization SET name = :n", n=MARKUP)
    address = act(demo, Action.REQUEST, 30, reason=MARKUP)
    pages = [
        open_page("activity"),
        address_of(open_page, operation=address),
    ]
    for at in pages:
        assert not at.exception
        drawn = [*values(at.markdown), *values(at.caption), *values(at.header), *labels(at)]
        assert not [text for text in drawn if "![i](" in text or "<b>A" in text]
