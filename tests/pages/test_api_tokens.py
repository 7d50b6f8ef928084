"""Recipient API Tokens: selection, plans, confirmations, receipts and bad input."""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from lib.domain import clock
from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.states import Action, ExistingTokens, Holding
from lib.domain.token_format import is_well_formed
from lib.operations.actions import execute, plan_action
from lib.operations.minting_download import DownloadNotRecordedError, MintingDownload
from lib.operations.secret_retention import OneTimeSecrets
from lib.operations.undo import plan_undo, undo
from lib.settings import ROOT
from lib.store.engine import open_engine, writing
from lib.ui.app_context import app_context
from lib.ui.components import dialog
from lib.ui.session import Session
from lib.ui.tokens import affected_users, export_confirmation
from lib.ui.tokens.tokens_state import TokensState
from tests.support.actions import csv_rows, everything, give
from tests.support.directory import ADMIN, ORG, SERVICE, build, by, tokens
from tests.support.page import FOR_STAFF, MARKUP, execute_sql, query, values

OTHER = "NVXYZ1"
EVERYONE = range(5)
BUSY = "Another program is writing to the database. Nothing was changed; try again in a moment."
READ_ONLY = (
    "The database is read-only. Nothing was changed; as soon as its file and folder, or its "
    "server, can be written it works again."
)
OUTDATED = (
    "Nothing was done: the tokens of some selected users changed since the first confirmation."
)
GONE = (
    "Some selected users are no longer in this organization. Clear the selection and tick the "
    "users again."
)
CONFIRMED_ONCE = [Action.REQUEST, Action.REMOVE, Action.CANCEL]
SKIPPED = {
    Action.REQUEST: {1: "Already pending", 3: "Already pending", 4: "Inactive user"},
    Action.REMOVE: {0: "No accepted token", 1: "No accepted token"},
    Action.CANCEL: {0: "Nothing pending", 2: "Nothing pending", 4: "Nothing pending"},
    Action.GENERATE: {4: "Inactive user"},
}


@pytest.fixture
def office(empty: Engine) -> list[str]:
    """Six users: nothing, pending, accepted and in use, both, inactive with a token, nothing.

    The service `landnotices` is ended; another organization has a user too.
    """
    ids = build(empty, 6, services=(SERVICE, "landnotices", "nobodys"))
    for member_id, holding, used in (
        (ids[1], Holding.PENDING, None),
        (ids[2], Holding.ACCEPTED, clock.now() - DAY),
        (ids[3], Holding.BOTH, clock.now() - 30 * DAY),
        (ids[4], Holding.ACCEPTED, None),
    ):
        give(empty, member_id, holding, last_used_at=used)
    execute_sql(empty, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[4])
    execute_sql(
        empty, "UPDATE subscription SET status = 'inactive' WHERE service_id = 'landnotices'"
    )
    execute_sql(empty, "DELETE FROM subscription WHERE service_id = 'nobodys'")
    build(empty, 1, organization_id=OTHER)
    return ids


@pytest.fixture
def at(office: list[str]) -> AppTest:  # noqa: ARG001 - makes the users of the page
    """The API Tokens page of that organization, for its one active service."""
    return open_tokens()


def open_tokens(person: str = ADMIN.username, org: str = ORG, service: str = SERVICE) -> AppTest:
    """Open the page as `person`, who need not be one of those to pick."""
    at = AppTest.from_file(ROOT / "pages" / "navigation.py", default_timeout=20)
    at.session_state["signed_in_as"] = person
    at.query_params["org"], at.query_params["service"] = org, service
    at._page_hash = calc_hash("api-tokens")
    return run(at)


def run(at: AppTest) -> AppTest:
    """Run the page; it never shows a traceback."""
    at.run()
    assert not at.exception
    return at


def session_of(at: AppTest) -> Session:
    """Return what the browser session remembers."""
    remembered: Session = at.session_state["session"]
    return remembered


def state_of(at: AppTest) -> TokensState:
    """Return what the page remembers while it is open."""
    state: TokensState = session_of(at).page_states.get(TokensState, TokensState())
    return state


def tick(at: AppTest, rows: Iterable[int]) -> AppTest:
    """Tick users by their row."""
    at.session_state[f"tokens_table_{state_of(at).table_frame.number}"] = {
        "edited_rows": {row: {"Select": True} for row in rows},
        "added_rows": [],
        "deleted_rows": [],
    }
    return run(at)


def choose(at: AppTest, action: Action, rows: Iterable[int] = EVERYONE) -> AppTest:
    """Tick users and choose an action: its first confirmation opens."""
    tick(at, rows).selectbox(key="tokens_actions").set_value(action)
    return run(at)


def press(at: AppTest, key: str) -> AppTest:
    """Press a button by its key."""
    at.button(key=key).click()
    return run(at)


def has(at: AppTest, key: str) -> bool:
    """Tell whether a button is drawn."""
    return key in [button.key for button in at.button]


def texts_of(at: AppTest) -> list[str]:
    """Return all texts of the page and the dialog."""
    elements = (at.markdown, at.caption, at.error, at.warning, at.info)
    return [text for kind in elements for text in values(kind)]


def mentions(at: AppTest, sentence: str) -> bool:
    """Tell whether some text has `sentence` in it."""
    return any(sentence in text for text in texts_of(at))


def table_with(at: AppTest, column: str) -> list[tuple[str, ...]]:
    """Return the rows of the table that has `column`."""
    return [
        tuple(row)
        for frame in at.dataframe
        if column in frame.value.columns
        for row in frame.value.itertuples(index=False)
    ]


def skipped(at: AppTest) -> dict[int, str]:
    """Return the reason by user's number, as the table of skipped users has it, or their line."""
    lines = [text.partition("(1): ")[2] for text in texts_of(at) if "**Skipped** (1): " in text]
    alone = [line.replace("\\", "").split(", ") for line in lines]
    rows = [*table_with(at, "Reason"), *alone]
    return {int(username[-1]): reason.capitalize() for _, username, reason in rows}


def export(at: AppTest, rows: Iterable[int] = EVERYONE) -> list[str]:
    """Generate & Export through both confirmations; return the tokens."""
    press(choose(at, Action.GENERATE, rows), "confirm_next")
    content = download_of(at)()
    run(at)
    return [row["API Token"] for row in csv_rows(content)]


def download_of(at: AppTest) -> MintingDownload:
    """Return what the download button calls."""
    confirming = session_of(at).open_confirmation
    assert confirming
    assert confirming.download
    return confirming.download


def live_states(member_id: str) -> list[str]:
    """Return the states of a user's live rows, sorted."""
    live = {"pending", "accepted"}
    rows = tokens(app_context().engine)
    return sorted(state for member, state, *_ in rows if member == member_id and state in live)


def act(action: Action, member_ids: list[str]) -> None:
    """Do an action as another administrator."""
    shared = app_context()
    plan = plan_action(shared.unit_of_work, ADMIN, action, ORG, SERVICE, member_ids)
    execute(shared.unit_of_work, by(plan), plan, shared.minting)


@contextlib.contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Hold the write lock in another connection; the page waits a tenth of a second for it."""
    with pragma(engine, "busy_timeout=100"):
        elsewhere = open_engine(engine.url.render_as_string(hide_password=False))
        with writing(elsewhere):
            yield
        elsewhere.dispose()


@contextlib.contextmanager
def pragma(engine: Engine, setting: str) -> Iterator[None]:
    """Set a pragma on each connection when it is taken from the pool."""

    def prepare(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA {setting}")

    event.listen(engine, "checkout", prepare)
    try:
        yield
    finally:
        event.remove(engine, "checkout", prepare)
        engine.dispose()  # what was set ends with its connections


def read_only(engine: Engine) -> contextlib.AbstractContextManager[None]:
    """Make the database refuse to be written."""
    return pragma(engine, "query_only=ON")


FAULTS = [
    pytest.param(locked, BUSY, id="locked"),
    pytest.param(read_only, READ_ONLY, id="read-only"),
]
Fault = Callable[[Engine], contextlib.AbstractContextManager[None]]


class TestNames:
    """Ruling 1: the names of the four actions depend on the number of selected users."""

    @pytest.mark.parametrize(
        ("rows", "names"),
        [
            (
                [2],
                [
                    "Request New API Token",
                    "Remove API Token",
                    "Cancel Pending Request",
                    "Generate & Export Token",
                ],
            ),
            (
                [0, 2],
                [
                    "Add New Tokens",
                    "Remove Tokens",
                    "Cancel Pending Requests",
                    "Generate & Export Tokens",
                ],
            ),
        ],
    )
    def test_action_names_when_one_or_several_users_are_selected_differ(self, at, rows, names):
        """One user, several users."""
        tick(at, rows)
        assert at.selectbox(key="tokens_actions").options == names

    def test_menu_when_nobody_is_selected_is_disabled(self, at):
        """Clear is disabled too."""
        assert at.selectbox(key="tokens_actions").disabled
        assert at.button(key="tokens_clear").disabled
        assert "None selected" in texts_of(at)

    def test_menu_after_a_choice_is_empty_again(self, at):
        """The same action can be chosen twice."""
        choose(at, Action.CANCEL)
        assert at.selectbox(key="tokens_actions").value is None
        press(at, "confirm_cancel")
        at.selectbox(key="tokens_actions").set_value(Action.CANCEL)
        assert has(run(at), "confirm_do")


class TestPlan:
    """The first confirmation says what will happen."""

    @pytest.mark.parametrize(
        ("action", "sentence", "details"),
        [
            (
                Action.REQUEST,
                "5 selected: 2 are asked to accept a new token, 3 are skipped.",
                [
                    (
                        "Nothing is sent: each user finds the request under My API tokens and "
                        "shows Pending until they accept; a token they have keeps working"
                    )
                ],
            ),
            (
                Action.REMOVE,
                "5 selected: 3 lose the accepted token, 2 are skipped.",
                [
                    "**3 tokens are removed** and stop working, 1 of them used in the last 7 days",
                ],
            ),
            (
                Action.CANCEL,
                "5 selected: 2 have the pending request ended, 3 are skipped.",
                ["2 pending requests or exported tokens end"],
            ),
            (
                Action.GENERATE,
                "5 selected: 4 get a new token, 1 is skipped.",
                [
                    "**2 tokens are replaced** and stop working, 1 of them used in the last 7 days",
                    "2 pending requests or exported tokens end",
                    "Each of the 4 users shows Pending until the new token is first used",
                ],
            ),
        ],
    )
    def test_first_confirmation_shows_counts_endings_and_skipped_users(
        self, at, action, sentence, details
    ):
        """Each skipped user has a reason."""
        before = everything(app_context().engine)
        choose(at, action)
        assert f"**{sentence}**" in texts_of(at)
        assert "\n".join(f"- {detail}" for detail in details) in texts_of(at)
        assert skipped(at) == SKIPPED[action]
        assert everything(app_context().engine) == before

    @pytest.mark.parametrize("action", list(Action))
    def test_first_confirmation_for_one_user_is_in_the_singular(self, at, action):
        """No `1 users`."""
        choose(at, action, [3] if action in {Action.REMOVE, Action.CANCEL} else [0])
        assert mentions(at, "1 selected: 1 ")
        assert not skipped(at)
        assert [text for text in texts_of(at) if " 1 users" in text or "1 tokens" in text] == []

    @pytest.mark.parametrize("action", list(Action))
    def test_first_confirmation_when_all_are_skipped_is_disabled(self, at, action):
        """The inactive user has a token, which can be removed: the exception."""
        row = {Action.REMOVE: 0, Action.CANCEL: 0}.get(action, 4)
        choose(at, action, [row])
        assert mentions(at, "1 is skipped")
        key = "confirm_next" if action is Action.GENERATE else "confirm_do"
        assert at.button(key=key).disabled


class TestWhoIsAffected:
    """The first confirmation names whom the action changes."""

    def test_first_confirmation_lists_the_last_used_first(self, at):
        """What they have and when it was used; skipped users are in the other table."""
        choose(at, Action.GENERATE)
        rows = table_with(at, "Has now")
        assert [(name, has_now, username) for name, has_now, _, username in rows] == [
            ("User 000002", "✓", "utcjf1-u2"),
            ("User 000003", "✓ and Pending", "utcjf1-u3"),
            ("User 000000", "no token", "utcjf1-u0"),
            ("User 000001", "Pending", "utcjf1-u1"),
        ]
        assert rows[0][2] == clock.when(clock.now() - DAY).date()
        assert "**Who gets a new token** (4), last used first" in texts_of(at)

    def test_list_of_many_users_has_a_search_and_an_end(self, at, monkeypatch):
        """The file of the results has them all."""
        monkeypatch.setattr(affected_users, "_FEW", 2)
        monkeypatch.setattr(affected_users, "FIRST", 3)
        choose(at, Action.GENERATE)
        assert len(table_with(at, "Has now")) == 3
        assert mentions(at, "The first 3 of 4. The results of the operation name them all.")
        at.text_input(key="affected_search").set_value("u3")
        assert [row[3] for row in table_with(run(at), "Has now")] == ["utcjf1-u3"]
        at.text_input(key="affected_search").set_value("nobody")
        assert mentions(run(at), "No users match. Try fewer letters.")
        assert not table_with(at, "Has now")

    @pytest.mark.parametrize(
        ("action", "deed", "sign"),
        [
            (Action.REQUEST, "Request 2 tokens", "Ends nothing"),
            (Action.REMOVE, "Remove 3 tokens", "Ends working tokens"),
            (Action.CANCEL, "Cancel 2 requests", "Ends what is pending"),
            (Action.GENERATE, "Continue", "Ends working tokens"),
        ],
    )
    def test_button_names_the_deed_and_a_sign_says_what_ends(self, at, action, deed, sign):
        """An action that ends nothing looks different."""
        choose(at, action)
        assert deed in [button.label for button in at.button]
        assert mentions(at, sign)

    def test_dialog_while_the_download_works_says_so_and_disables_back(self, at):
        """The click of a download button sends no rerun, so the dialog polls."""
        press(choose(at, Action.GENERATE), "confirm_next")
        at.text_input(key="confirm_typed").set_value("4")
        assert not run(at).button(key="confirm_back").disabled
        download_of(at).begun = True
        assert mentions(run(at), "Making 4 tokens …")
        assert at.button(key="confirm_back").disabled


class TestExistingTokens:
    """Ruling 3: existing tokens stop working at once, or when the new token is first used."""

    SECOND = "- 2 get a second token; the one in use works until the new one is used"

    def test_choice_when_changed_plans_again_and_the_operation_keeps_tokens(self, at, office):
        """Both tokens live, and the receipt says so."""
        choose(at, Action.GENERATE)
        assert at.radio[0].options == [
            "Stop working at once",
            "Keep working until the new token is first used",
        ]
        assert at.radio[0].value is ExistingTokens.STOP
        first = session_of(at).open_confirmation.plan
        at.radio[0].set_value(ExistingTokens.KEEP)
        run(at)
        plan = session_of(at).open_confirmation.plan
        assert (plan.seen, plan.operation_id == first.operation_id) == (first.seen, False)
        assert mentions(at, self.SECOND)
        assert not mentions(at, "are replaced")
        press(at, "confirm_next")
        assert mentions(at, "Existing tokens keep working until the new token is first used.")
        assert not mentions(at, "stop working at once")
        assert len(csv_rows(download_of(at)())) == 4
        assert mentions(run(at), "Existing tokens keep working until the new token is first used.")
        assert live_states(office[2]) == ["accepted", "pending"]

    def test_choice_after_back_is_the_one_of_the_plan(self, at):
        """The second confirmation does not draw it."""
        choose(at, Action.GENERATE).radio[0].set_value(ExistingTokens.KEEP)
        press(press(run(at), "confirm_next"), "confirm_back")
        assert at.radio[0].value is ExistingTokens.KEEP
        at.radio[0].set_value(ExistingTokens.STOP)
        assert mentions(run(at), "**2 tokens are replaced**")

    def test_choice_after_look_again_is_kept(self, at, office):
        """Somebody else acted between the confirmations."""
        choose(at, Action.GENERATE).radio[0].set_value(ExistingTokens.KEEP)
        press(run(at), "confirm_next")
        act(Action.CANCEL, [office[1]])
        with pytest.raises(DownloadNotRecordedError):
            download_of(at)()
        press(run(at), "confirm_again")
        assert at.radio[0].value is ExistingTokens.KEEP

    def test_choice_when_the_users_are_gone_shows_the_error_in_the_dialog(self, at, office):
        """The dialog stays open, with one sentence."""
        choose(at, Action.GENERATE)
        execute_sql(app_context().engine, "DELETE FROM member WHERE member_id = :m", m=office[0])
        at.radio[0].set_value(ExistingTokens.KEEP)
        assert values(run(at).error) == [GONE]
        assert has(at, "confirm_close")

    def test_choice_when_nobody_has_a_token_is_not_offered(self, at):
        """There is nothing to keep."""
        assert not choose(at, Action.GENERATE, [0, 1]).radio
        press(at, "confirm_next")
        assert at.download_button[0].label == "Generate and download CSV"

    @pytest.mark.parametrize("action", CONFIRMED_ONCE)
    def test_choice_of_another_action_is_not_offered(self, at, action):
        """Only Generate & Export has it."""
        assert not choose(at, action).radio


class TestUndo:
    """Undo from the receipt."""

    def test_undo_from_the_receipt_restores_and_drops_the_csv(self, at, office):
        """The receipt of the undo names who was skipped, and why."""
        before = [live_states(member_id) for member_id in office[1:4]]
        export(at)
        key = session_of(at).page_states[TokensState].finished_operation.export.key
        execute_sql(
            app_context().engine,
            "UPDATE token SET state = 'accepted', accepted_at = 1 WHERE state = 'pending'"
            " AND member_id = :m",
            m=office[0],
        )
        press(at, "undo_begin")
        assert mentions(at, "**4 users: 3 users are restored, 1 is skipped.**")
        assert skipped(at) == {0: "Accepted or used since"}
        at.text_input(key="undo_reason").set_value("wrong people")
        press(at, "undo_do")
        assert mentions(at, "**3 users restored**")
        assert skipped(at) == {0: "Accepted or used since"}
        assert not app_context().one_time_secrets.seconds_left(key)
        assert [live_states(member_id) for member_id in office[1:4]] == before
        assert query(
            app_context().engine, "SELECT reason FROM audit_event WHERE action = 'undo'"
        ) == [("wrong people",)]
        press(at, "undo_done")
        assert not mentions(at, "users restored")

    def test_undo_when_cancelled_changes_nothing(self, at):
        """The receipt stays."""
        press(choose(at, Action.REQUEST), "confirm_do")
        before = everything(app_context().engine)
        press(press(at, "undo_begin"), "undo_cancel")
        assert not has(at, "undo_do")
        assert "**2 new tokens requested**" in texts_of(at)
        assert everything(app_context().engine) == before

    def test_undo_when_tokens_changed_is_refused_and_looks_again(self, at, office):
        """Two administrators act on the same users."""
        press(choose(at, Action.REQUEST), "confirm_do")
        press(at, "undo_begin")
        act(Action.CANCEL, [office[0]])
        press(at, "undo_do")
        assert values(at.error) == [OUTDATED]
        press(at, "undo_again")
        assert mentions(at, "**2 users: 1 user is restored, 1 is skipped.**")

    def test_undo_when_undone_elsewhere_is_refused(self, at):
        """One sentence; the button is then disabled."""
        press(choose(at, Action.REQUEST), "confirm_do")
        press(at, "undo_begin")
        operation = state_of(at).finished_operation.receipt.operation_id
        shared = app_context()
        undo(shared.unit_of_work, ADMIN, plan_undo(shared.unit_of_work, ADMIN, ORG, operation))
        press(at, "undo_do")
        assert values(at.error) == ["This operation was undone already, so nothing was changed."]
        press(at, "undo_close")
        assert at.button(key="undo_begin").disabled
        assert "This operation was undone." in texts_of(at)

    def test_undo_when_too_late_is_disabled_with_the_reason(self, at):
        """After the window."""
        press(choose(at, Action.REQUEST), "confirm_do")
        execute_sql(app_context().engine, "UPDATE operation SET confirmed_at = 1")
        assert run(at).button(key="undo_begin").disabled
        assert mentions(at, "This operation is too old to be undone.")


class TestSteps:
    """The steps are counted from the first confirmation on, an approval included."""

    @pytest.fixture(autouse=True)
    def _four_eyes(self, monkeypatch):
        monkeypatch.setenv("TOKEN_DESK_FOUR_EYES", "2")

    @pytest.mark.parametrize(("rows", "of"), [(EVERYONE, 3), ([0], 2)])
    def test_steps_when_an_approval_is_needed_are_three_from_the_first_on(self, at, rows, of):
        """Before, `Step 1 of 2` was followed by `Step 2 of 3`."""
        choose(at, Action.GENERATE, rows)
        assert f"Step 1 of {of}. Nothing has changed yet." in texts_of(at)
        press(at, "confirm_next")
        last = "Nothing changes before you press the button. It can be undone for 7 days."
        assert f"Step 2 of {of}. {last if of == 2 else dialog.UNCHANGED}" in texts_of(at)
        assert has(at, "confirm_ask") is (of == 3)


class TestNothingDone:
    """Closing a confirmation changes nothing."""

    @pytest.mark.parametrize("action", list(Action))
    def test_cancel_changes_nothing_and_keeps_the_selection(self, at, action):
        """The dialog closes; the users stay selected."""
        before = everything(app_context().engine)
        press(choose(at, action), "confirm_cancel")
        assert not has(at, "confirm_cancel")
        assert "**5 selected**" in texts_of(at)
        assert everything(app_context().engine) == before

    def test_back_opens_the_first_confirmation_with_the_same_plan(self, at):
        """Nothing has changed."""
        before = everything(app_context().engine)
        plan = session_of(choose(at, Action.GENERATE)).open_confirmation.plan
        press(press(at, "confirm_next"), "confirm_back")
        assert session_of(at).open_confirmation.plan is plan
        press(at, "confirm_cancel")
        assert everything(app_context().engine) == before

    def test_download_before_the_number_is_typed_is_disabled(self, at):
        """The number is without skipped users; spaces around it do not matter."""
        press(choose(at, Action.GENERATE), "confirm_next")
        for typed, meant in (
            ("", False),
            ("5", False),
            ("4", True),
            (" 4 ", True),
            ("4,", False),
            ("\uff14", False),
        ):
            at.text_input(key="confirm_typed").set_value(typed)
            assert run(at).download_button[0].disabled is not meant
            assert mentions(at, ":small[That is not 4.]") is (bool(typed) and not meant)
        assert at.text_input(key="confirm_typed").label == "Type 4 to confirm"

    @pytest.mark.parametrize("left_by", ["confirm_cancel", "confirm_back", "another page"])
    def test_download_of_a_closed_confirmation_generates_nothing(self, at, left_by):
        """A browser may still know the button; only the open confirmation counts."""
        press(choose(at, Action.GENERATE), "confirm_next")
        before, download = everything(app_context().engine), download_of(at)
        if left_by == "another page":
            at.switch_page("help.py").run()
        else:
            press(at, "confirm_back")
        if left_by == "confirm_cancel":
            press(at, left_by)
        with pytest.raises(DownloadNotRecordedError):
            download()
        assert everything(app_context().engine) == before

    def test_last_click_when_sent_in_the_first_step_does_nothing(self, at, monkeypatch):
        """A program can send the click of a button that is not drawn."""
        before = everything(app_context().engine)
        choose(at, Action.GENERATE)
        with monkeypatch.context() as patched:
            patched.setattr(export_confirmation, "session", lambda: session_of(at))
            export_confirmation._ask_approval()
        assert everything(app_context().engine) == before
        assert session_of(at).open_confirmation

    def test_typed_number_is_empty_in_the_next_confirmation(self, at):
        """Each export needs it again."""
        press(choose(at, Action.GENERATE), "confirm_next")
        at.text_input(key="confirm_typed").set_value("4")
        press(press(run(at), "confirm_back"), "confirm_next")
        assert at.text_input(key="confirm_typed").value == ""
        assert at.download_button[0].disabled


class TestDone:
    """A confirmation executes the plan once; a receipt says what was done."""

    @pytest.mark.parametrize(
        ("action", "sentence", "left"),
        [
            (Action.REQUEST, "2 new tokens requested", {"accepted": 3, "pending": 4}),
            (Action.REMOVE, "3 tokens removed", {"pending": 2, "removed": 3}),
            (Action.CANCEL, "2 pending requests cancelled", {"accepted": 3, "cancelled": 2}),
        ],
    )
    def test_confirm_executes_and_shows_a_receipt(self, at, action, sentence, left):
        """Changes, skipped users with reasons; the selection is empty again."""
        press(choose(at, action), "confirm_do")
        assert f"**{sentence}**" in texts_of(at)
        assert states() == left
        number = len(SKIPPED[action])
        assert mentions(at, f"{number} users were skipped: User")
        for user, reason in SKIPPED[action].items():
            assert mentions(at, f"User 00000{user}, {reason.lower()}")
        assert "None selected" in texts_of(at)
        assert [b.label for b in at.download_button] == ["Download results"]
        press(at, "tokens_done")
        assert not mentions(at, sentence)

    def test_receipt_with_more_than_three_skipped_users_has_a_table(self, at):
        """Up to three are in a sentence."""
        execute_sql(
            app_context().engine, "UPDATE member SET status = 'inactive' WHERE username LIKE '%u0'"
        )
        press(choose(at, Action.REQUEST), "confirm_do")
        assert mentions(at, "4 users were skipped; they are listed below.")
        assert skipped(at) == SKIPPED[Action.REQUEST] | {0: "Inactive user"}

    @pytest.mark.parametrize("action", CONFIRMED_ONCE)
    def test_confirm_when_clicked_twice_executes_once(self, at, action):
        """A browser can send a click on a button that is gone."""
        choose(at, action)
        again = at.button(key="confirm_do")
        press(at, "confirm_do")
        after = everything(app_context().engine)
        again.click()
        run(at)
        assert everything(app_context().engine) == after

    def test_execute_when_called_twice_with_a_plan_returns_the_first_receipt(self, at):
        """As a second browser tab would."""
        plan = session_of(choose(at, Action.REQUEST)).open_confirmation.plan
        press(at, "confirm_do")
        after = tokens(app_context().engine)
        outcome = execute(app_context().unit_of_work, ADMIN, plan, app_context().minting)
        assert outcome.receipt == state_of(at).finished_operation.receipt
        assert tokens(app_context().engine) == after

    def test_page_when_run_again_changes_nothing(self, at):
        """Reruns, and opening another page and coming back."""
        press(choose(at, Action.REQUEST), "confirm_do")
        after = everything(app_context().engine)
        run(run(at))
        at.switch_page("help.py").run()
        at.switch_page("api_tokens.py").run()
        assert not at.exception
        assert everything(app_context().engine) == after
        assert not mentions(at, "new tokens requested")

    def test_table_after_a_request_shows_pending(self, at):
        """The check mark stays beside it."""
        press(choose(at, Action.REQUEST), "confirm_do")
        signs = [list(s) for s in state_of(at).table_frame.frame["API Token"]]
        assert signs == [["Pending"], ["Pending"], ["✓", "Pending"], ["✓", "Pending"], ["✓"], []]


class TestExport:
    """Generate & Export: the click on the download is the second confirmation."""

    def test_export_receipt_has_rows_file_hash_and_download_again(self, at):
        """Each user with a new token shows Pending."""
        exported = export(at)
        assert [is_well_formed(token, "demo") for token in exported] == [True] * 4
        receipt = state_of(at).finished_operation.receipt
        assert "**4 tokens generated and exported**" in texts_of(at)
        assert mentions(at, "4 rows in UTCJF1\\-erecording\\-")
        assert at.code[0].value == f"SHA-256 {receipt.csv_sha256}"
        assert [b.label for b in at.download_button] == ["Download again"]
        assert states() == {"replaced": 4, "pending": 4, "accepted": 1}

    def test_download_again_until_done_gives_the_same_bytes(self, at):
        """After Done there is no file, and none is offered."""
        press(choose(at, Action.GENERATE), "confirm_next")
        download = download_of(at)
        first = download()
        assert download() == first
        press(run(at), "tokens_done")
        assert not at.download_button
        with pytest.raises(DownloadNotRecordedError):
            download()

    def test_session_state_after_an_export_has_no_token(self, at):
        """Nor any object it refers to, but for the one-time secrets and the database."""
        exported = export(at)
        assert len(exported) == 4
        texts = list(texts_in(at._session_state._state))
        assert state_of(at).finished_operation.receipt.csv_sha256 in texts
        assert [text for text in texts if has_any(text, exported)] == []

    def test_export_page_when_run_again_writes_nothing(self, at):
        """A rerun shows the receipt."""
        export(at)
        after = everything(app_context().engine)
        run(run(at))
        assert everything(app_context().engine) == after

    def test_csv_when_the_person_changes_is_dropped(self, at):
        """The receipt and the selection are gone too."""
        export(at)
        assert len(app_context().one_time_secrets._kept) == 1
        at.session_state["signed_in_as"] = "admin"
        run(at)
        assert not app_context().one_time_secrets._kept
        assert state_of(at).finished_operation is None
        assert not at.download_button

    @pytest.mark.parametrize(
        ("leave", "come_back"),
        [
            pytest.param(
                lambda at: at.selectbox(key="tokens_organization").set_value(OTHER),
                lambda at: at.selectbox(key="tokens_organization").set_value(ORG),
                id="org",
            ),
            pytest.param(
                lambda at: at.query_params.__setitem__("org", OTHER),
                lambda at: at.query_params.__setitem__("org", ORG),
                id="address",
            ),
            pytest.param(
                lambda at: at.switch_page("help.py"),
                lambda at: at.switch_page("api_tokens.py"),
                id="page",
            ),
        ],
    )
    def test_csv_when_place_or_page_changes_is_kept_for_the_way_back(self, at, leave, come_back):
        """The selection is gone; the receipt is drawn again, with the same file."""
        export(at)
        receipt = state_of(at).finished_operation.receipt
        leave(at)
        run(at)
        assert state_of(at).finished_operation is None
        assert not at.download_button
        come_back(at)
        run(at)
        assert state_of(at).finished_operation.receipt == receipt
        assert "Download again" in [button.label for button in at.download_button]
        press(at, "tokens_done")
        assert not app_context().one_time_secrets._kept
        assert state_of(run(at)).finished_operation is None

    def test_open_confirmation_when_the_organization_changes_is_closed(self, at):
        """It is about users of the earlier organization."""
        choose(at, Action.GENERATE)
        at.selectbox(key="tokens_organization").set_value(OTHER)
        assert not has(run(at), "confirm_next")
        assert "None selected" in texts_of(at)


class TestPlace:
    """Places where some actions, or none, are possible."""

    @pytest.mark.parametrize("action", [Action.REQUEST, Action.GENERATE])
    def test_new_tokens_in_an_inactive_organization_skip_everybody(self, at, action):
        """There is nothing to confirm."""
        execute_sql(app_context().engine, "UPDATE organization SET status = 'inactive'")
        choose(at, action)
        assert mentions(at, "5 selected: 0 ")
        assert set(skipped(at).values()) == {"Inactive organization"}
        key = "confirm_next" if action is Action.GENERATE else "confirm_do"
        assert at.button(key=key).disabled

    def test_remove_in_an_inactive_organization_is_allowed(self, at):
        """A token can always be ended."""
        execute_sql(app_context().engine, "UPDATE organization SET status = 'inactive'")
        press(choose(at, Action.REMOVE), "confirm_do")
        assert "**3 tokens removed**" in texts_of(at)

    def test_service_with_an_ended_subscription_is_marked_and_gives_no_tokens(self, office):
        """The dropdown says `(ended)`."""
        at = open_tokens(service="landnotices")
        assert at.selectbox(key="tokens_service").options == ["Erecording", "Landnotices (ended)"]
        choose(at, Action.REQUEST)
        assert set(skipped(at).values()) == {"Inactive subscription"}
        assert at.button(key="confirm_do").disabled
        assert len(office) == 6

    def test_ended_subscription_without_live_tokens_is_not_offered(self, at):
        """The Service dropdown has it only while live tokens exist."""
        assert at.selectbox(key="tokens_service").options == ["Erecording"]

    @pytest.mark.parametrize("service", ["nobodys", "nosuch", "'; DROP TABLE token; --", MARKUP])
    def test_page_for_a_service_without_subscription_has_a_message_and_a_link(
        self, office, service
    ):
        """No table is drawn."""
        at = open_tokens(service=service)
        assert not at.exception
        assert mentions(at, "Organization UTCJF1 does not subscribe to")
        assert "See what it subscribes to" in [link.proto.label for link in at.get("page_link")]
        assert not mentions(at, "![i](")
        assert len(office) == 6

    @pytest.mark.parametrize("org", ["NOSUCH", "%", "utcjf1", "\x00", "\u202eUTCJF1", "x" * 10_000])
    def test_page_for_an_unknown_organization_has_a_message_and_a_link(self, office, org):
        """No table is drawn."""
        at = open_tokens(org=org)
        assert not at.exception
        assert mentions(at, "There is no organization")
        assert "Choose an organization" in [link.proto.label for link in at.get("page_link")]
        assert len(office) == 6

    def test_page_for_an_organization_without_users_has_an_empty_state(self, at):
        """Nothing can be selected."""
        engine = app_context().engine
        execute_sql(engine, "DELETE FROM member WHERE organization_id = :o", o=OTHER)
        at.selectbox(key="tokens_organization").set_value(OTHER)
        run(at)
        assert mentions(at, "has no users for Erecording")
        labels = {b.label: b.disabled for b in at.button}
        assert labels["Select page"]
        assert labels["Select all 0 matching"]
        assert at.selectbox(key="tokens_actions").disabled

    def test_page_for_a_user_without_a_role_shows_no_names(self, office):
        """It says who may open it."""
        at = open_tokens("utcjf1-u0")
        assert values(at.info) == [FOR_STAFF]
        assert not at.dataframe
        assert not mentions(at, "Organization UTCJF1")
        assert len(office) == 6

    @pytest.mark.parametrize("person", ["nosuch", "%", "' OR 1=1 --", "\x00", MARKUP, "x" * 10_000])
    def test_page_for_an_unknown_username_has_a_message_only(self, office, person):
        """There is no page."""
        at = open_tokens(person)
        assert values(at.warning)[0].startswith("There is no user ")
        assert not at.dataframe
        assert not mentions(at, "![i](")
        assert len(office) == 6


class TestSearch:
    """The field Search users."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("User 000003", 1),
            ("  uTCJF1-U3@EXAMPLE.com ", 1),
            ("%", 0),
            ("_", 0),
            ("user_000003", 0),
            ("\\", 0),
            ("'; DROP TABLE member; --", 0),
            ("' OR '1'='1", 0),
            ("a" * 10_000, 0),
            ("user" + " " * 10_000, 6),
            (MARKUP, 0),
            # Invisible characters are ignored.
            ("\x00", 6),
            ("user\x00 000003", 1),
            ("\u202euser 000003\u200f", 1),
        ],
    )
    def test_search_takes_every_text_literally(self, at, text, found):
        """Wildcards and SQL are plain text, and nothing breaks."""
        before = everything(app_context().engine)
        at.text_input(key="tokens_search").set_value(text)
        run(at)
        assert f"Select all {found} matching" in [b.label for b in at.button]
        if not found:
            assert "**No users match**" in texts_of(at)
            assert not mentions(at, "![i](")
            assert max(map(len, texts_of(at))) < 1_000
            press(at, "tokens_clear_filters")
            assert "Select all 6 matching" in [b.label for b in at.button]
        assert everything(app_context().engine) == before

    def test_foot_of_a_search_counts_matching_and_all_users(self, at):
        """A result cannot be taken for the whole organization."""
        assert "1–6 of 6 users" in [c.value for c in at.caption]
        at.text_input(key="tokens_search").set_value("000003")
        run(at)
        assert "1–1 of 1 user, 6 in all" in [c.value for c in at.caption]

    def test_selection_after_a_search_stays(self, at):
        """The bar says how many selected users are not shown."""
        tick(at, [0, 2])
        at.text_input(key="tokens_search").set_value("000002")
        assert "**2 selected**, 1 not shown" in texts_of(run(at))
        at.text_input(key="tokens_search").set_value("nobody")
        assert "**2 selected**, 2 not shown" in texts_of(run(at))
        press(at, "tokens_clear")
        assert "None selected" in texts_of(at)

    @pytest.mark.parametrize(
        ("holding", "found"),
        [("any", 6), ("accepted", 3), ("pending", 2), ("both", 1), ("none", 2)],
    )
    def test_filter_by_api_token_finds_users_by_what_they_have(self, at, holding, found):
        """Accepted, Pending, both or none."""
        at.selectbox(key="tokens_holding").set_value(holding)
        assert f"Select all {found} matching" in [b.label for b in run(at).button]


class TestOutdated:
    """Another administrator acts between the confirmations."""

    def test_confirm_when_tokens_changed_is_refused_with_the_users(self, at, office):
        """Look again makes a new plan, which can be confirmed."""
        choose(at, Action.CANCEL)
        act(Action.CANCEL, [office[1]])
        before = everything(app_context().engine)
        press(at, "confirm_do")
        assert values(at.error) == [OUTDATED]
        assert table_with(at, "Is now") == [("User 000001", "utcjf1-u1", "Pending", "no token")]
        assert everything(app_context().engine) == before
        press(at, "confirm_again")
        assert mentions(at, "5 selected: 1 has the pending request ended, 4 are skipped.")
        press(at, "confirm_do")
        assert "**1 pending request cancelled**" in texts_of(at)

    def test_export_when_tokens_changed_gives_no_file(self, at, office):
        """The download gives nothing, now or later."""
        press(choose(at, Action.GENERATE), "confirm_next")
        act(Action.REMOVE, [office[3]])
        before = everything(app_context().engine)
        download = download_of(at)
        for _ in range(2):
            with pytest.raises(DownloadNotRecordedError):
                download()
        assert values(run(at).error) == [OUTDATED]
        assert table_with(at, "Is now") == [
            ("User 000003", "utcjf1-u3", "✓ and Pending", "Pending")
        ]
        assert everything(app_context().engine) == before
        assert not app_context().one_time_secrets._kept
        press(at, "confirm_again")
        assert mentions(at, "5 selected: 4 get a new token, 1 is skipped.")

    def test_close_after_a_refusal_keeps_the_selection(self, at, office):
        """Nothing has changed."""
        choose(at, Action.CANCEL)
        act(Action.CANCEL, [office[1]])
        press(press(at, "confirm_do"), "confirm_close")
        assert not has(at, "confirm_again")
        assert "**5 selected**" in texts_of(at)

    def test_confirm_when_only_other_users_changed_executes(self, at, office):
        """The revision differs; the tokens of the selected users do not."""
        choose(at, Action.REQUEST)
        act(Action.REQUEST, [office[5]])
        press(at, "confirm_do")
        assert "**2 new tokens requested**" in texts_of(at)

    def test_confirm_when_a_user_became_inactive_is_refused(self, at):
        """An inactive user gets no token from an earlier plan."""
        press(choose(at, Action.GENERATE), "confirm_next")
        execute_sql(
            app_context().engine, "UPDATE member SET status = 'inactive' WHERE username LIKE '%u0'"
        )
        with pytest.raises(DownloadNotRecordedError):
            download_of(at)()
        assert values(run(at).error) == [OUTDATED]

    def test_confirm_in_two_tabs_executes_once(self, at):
        """The later tab is refused."""
        other = open_tokens()
        choose(at, Action.REQUEST)
        choose(other, Action.REQUEST)
        press(at, "confirm_do")
        after = everything(app_context().engine)
        press(other, "confirm_do")
        assert values(other.error) == [OUTDATED]
        assert everything(app_context().engine) == after


class TestHandMade:
    """Widget state that our pages never send."""

    @pytest.mark.parametrize("action", list(Action))
    def test_action_on_ids_of_another_organization_is_refused(self, at, action):
        """A message, and nothing is written."""
        (foreign,) = query(
            app_context().engine, "SELECT member_id FROM member WHERE organization_id = :o", o=OTHER
        )
        before = everything(app_context().engine)
        tick(at, [0])
        state_of(at).selected |= set(foreign)
        at.selectbox(key="tokens_actions").set_value(action)
        run(at)
        assert values(at.error) == [GONE]
        assert not has(at, "confirm_cancel")
        assert everything(app_context().engine) == before

    @pytest.mark.parametrize(
        "edits",
        [
            {0: {"Username": "utcjf1-u5", "Email": "x@evil.example"}},
            {0: {"Select": None}},
        ],
    )
    def test_table_edits_of_other_columns_select_nobody(self, at, edits):
        """Only ticks are read from the table."""
        at.session_state[f"tokens_table_{state_of(at).table_frame.number}"] = {
            "edited_rows": edits,
            "added_rows": [],
            "deleted_rows": [],
        }
        assert "None selected" in texts_of(run(at))

    @pytest.mark.parametrize("key", ["tokens_holding", "tokens_actions", "tokens_organization"])
    def test_selectbox_value_that_is_not_offered_changes_nothing(self, at, key):
        """The page has no traceback."""
        text = "'; DROP TABLE token; --"
        before = everything(app_context().engine)
        tick(at, [0])
        box = at.selectbox(key=key)
        box.options.append(text)
        box.set_value(text)
        run(at)
        assert everything(app_context().engine) == before
        assert session_of(at).open_confirmation is None

    def test_page_number_that_does_not_exist_shows_an_existing_page(self, demo, open_page):
        """The table still has rows."""
        at = open_page("api_tokens", by_menu=True, org=ORG, service=SERVICE)
        (key,) = [k for k in at._session_state.filtered_state if k.startswith("tokens_page_")]
        at.session_state[key] = 99
        run(at)
        assert len(state_of(at).table_frame.frame)
        assert demo.dialect.name == "sqlite"


class TestRole:
    """Each step reads the role from the database."""

    @pytest.mark.parametrize("action", CONFIRMED_ONCE)
    def test_confirm_when_the_role_was_revoked_is_refused(self, at, action):
        """A message, and nothing is written."""
        choose(at, action)
        revoke_administrator(ADMIN)
        before = everything(app_context().engine)
        press(at, "confirm_do")
        assert values(at.info) == [FOR_STAFF]
        assert everything(app_context().engine) == before

    def test_download_when_the_role_was_revoked_gives_no_file(self, at):
        """Between the two confirmations of an export."""
        press(choose(at, Action.GENERATE), "confirm_next")
        revoke_administrator(ADMIN)
        before = everything(app_context().engine)
        with pytest.raises(DownloadNotRecordedError):
            download_of(at)()
        assert values(run(at).info) == [FOR_STAFF]
        assert everything(app_context().engine) == before

    def test_choice_when_the_role_was_revoked_is_refused(self, at):
        """An action or another organization: the same message."""
        tick(at, [0])
        revoke_administrator(ADMIN)
        at.selectbox(key="tokens_actions").set_value(Action.REMOVE)
        at.selectbox(key="tokens_organization").set_value(OTHER)
        assert values(run(at).info) == [FOR_STAFF]
        assert session_of(at).open_confirmation is None


class TestFaults:
    """A database that is busy, read-only or gone."""

    @pytest.mark.parametrize(("fault", "sentence"), FAULTS)
    @pytest.mark.parametrize("action", CONFIRMED_ONCE)
    def test_confirm_when_the_database_fails_changes_nothing(
        self, at, fault: Fault, sentence, action
    ):
        """Afterwards Look again and Confirm work."""
        engine = app_context().engine
        choose(at, action)
        before = everything(engine)
        with fault(engine):
            press(at, "confirm_do")
            assert values(at.error) == [sentence]
        assert everything(engine) == before
        press(press(at, "confirm_again"), "confirm_do")
        assert state_of(at).finished_operation.receipt.changed == 5 - len(SKIPPED[action])

    @pytest.mark.parametrize(("fault", "sentence"), FAULTS)
    def test_download_when_the_database_fails_gives_no_file(self, at, fault: Fault, sentence):
        """The old tokens are still there."""
        engine = app_context().engine
        press(choose(at, Action.GENERATE), "confirm_next")
        before = everything(engine)
        with fault(engine):
            with pytest.raises(DownloadNotRecordedError):
                download_of(at)()
            assert values(run(at).error) == [sentence]
        assert everything(engine) == before
        assert not app_context().one_time_secrets._kept

    @pytest.mark.parametrize(("fault", "sentence"), FAULTS)
    @pytest.mark.parametrize("step", ["accept", "decline"])
    def test_accept_and_decline_when_the_database_fails_say_so(
        self, empty, office, open_empty, fault: Fault, sentence, step
    ):
        """The request stays pending and can be answered afterwards."""
        act(Action.REQUEST, [office[0]])
        (token_id,) = query(empty, "SELECT token_id FROM token WHERE origin = 'request'")[0]
        at = open_empty("my_api_tokens", person="utcjf1-u0")
        before = everything(empty)
        with fault(empty):
            answer(at, step, token_id)
            assert values(at.error) == [sentence]
            assert not at.code
        assert everything(empty) == before
        answer(at, step, token_id)
        assert query(empty, "SELECT state FROM token WHERE token_id = :t", t=token_id) == [
            ({"accept": "accepted", "decline": "declined"}[step],)
        ]

    @pytest.mark.parametrize(("fault", "sentence"), FAULTS)
    @pytest.mark.parametrize("page", ["api_tokens", "my_api_tokens"])
    def test_reading_pages_when_the_database_cannot_be_written_open(
        self, office, open_empty, fault: Fault, sentence, page
    ):
        """They only read."""
        with fault(app_context().engine):
            at = open_empty(page, person=ADMIN.username, org=ORG, service=SERVICE)
            assert not at.exception
            assert not mentions(at, sentence)
            assert bool(at.dataframe) == (page == "api_tokens")
        assert len(office) == 6

    def test_dialog_when_the_database_stops_stays_with_its_error_until_it_is_back(self, at):
        """On a page that cannot be read; *Try again* goes on where it stopped."""
        press(choose(at, Action.GENERATE), "confirm_next")
        engine, before = app_context().engine, everything(app_context().engine)
        gone = engine.dialect.dbapi.OperationalError("unable to open database file")
        gone.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN

        def refuse(*_: object) -> None:
            raise gone

        event.listen(engine, "do_connect", refuse)
        engine.dispose()
        with pytest.raises(DownloadNotRecordedError):
            download_of(at)()
        assert "The database cannot be reached." in " ".join(values(run(at).error))
        assert [b.label for b in at.button if b.key == "confirm_again"] == ["Try again"]
        event.remove(engine, "do_connect", refuse)
        assert everything(engine) == before
        press(at, "confirm_again")
        assert has(at, "confirm_back")
        assert len(csv_rows(download_of(at)())) == 4
        assert state_of(run(at)).finished_operation.receipt.changed == 4

    def test_page_when_the_database_is_gone_shows_a_message(self, at):
        """At page load and at a choice; never a traceback."""
        gone = app_context().engine.dialect.dbapi.OperationalError("unable to open database file")
        gone.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN

        def refuse(*_: object) -> None:
            raise gone

        event.listen(app_context().engine, "do_connect", refuse)
        app_context().engine.dispose()
        at.selectbox(key="tokens_organization").set_value(OTHER)
        run(at)
        assert not at.dataframe
        assert mentions(at, "The database cannot be reached.")


def answer(at: AppTest, step: str, token_id: str) -> None:
    """Accept or decline on My API tokens; a decline is confirmed."""
    press(at, f"{step}_{token_id}")
    if step == "decline":
        [b for b in at.button if b.label == "Decline"][-1].click()
        run(at)


def revoke_administrator(actor: Actor) -> None:
    """Revoke the role of an API administrator."""
    execute_sql(
        app_context().engine,
        "DELETE FROM role_grant WHERE username = :u",
        u=actor.username,
    )


def states() -> dict[str, int]:
    """Return how many token rows are in each state."""
    found = [state for _, state, _, _ in tokens(app_context().engine)]
    return {state: found.count(state) for state in found}


def texts_in(thing: Any, seen: dict[int, Any] | None = None) -> Iterator[str]:
    """Yield every text and byte string within `thing`, through containers and objects."""
    seen = {} if seen is None else seen
    if id(thing) in seen or isinstance(thing, Engine | OneTimeSecrets):
        return
    seen[id(thing)] = thing  # kept, so that no other object gets its id
    if isinstance(thing, str | bytes):
        yield thing if isinstance(thing, str) else thing.decode(errors="replace")
    elif isinstance(thing, dict):
        for pair in thing.items():
            yield from texts_in(pair, seen)
    elif isinstance(thing, list | tuple | set | frozenset):
        for item in thing:
            yield from texts_in(item, seen)
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        for field in dataclasses.fields(thing):
            yield from texts_in(getattr(thing, field.name), seen)
    elif hasattr(thing, "to_csv"):
        yield thing.to_csv()
    else:
        yield repr(thing)
        yield from texts_in(getattr(thing, "__dict__", {}), seen)


def has_any(text: str, secrets: Iterable[str]) -> bool:
    """Tell whether `text` has a secret, or a part of one beyond its hint."""
    return any(secret[10:] in text for secret in secrets)
