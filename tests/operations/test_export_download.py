"""The click that mints: once, whoever calls how often, and nothing of it in what it raises."""

import hashlib
import logging
import threading
import traceback
from dataclasses import replace

import pytest
from sqlalchemy import text

from lib.domain.errors import DatabaseBusyError, DeskError, NotAllowedError, PlanOutdatedError
from lib.domain.states import Action
from lib.operations.export_download import DownloadNotRecordedError, ExportDownload
from lib.operations.one_time_secrets import OneTimeSecrets, SecretKey
from lib.store.engine import open_engine, writing
from tests.support.actions import act, change, csv_rows, later, live_matches, plan, select
from tests.support.directory import MINTING, ORG, build, by, unit_of_work


@pytest.fixture
def one_time_secrets():
    """A vault that forgets at the end of the test."""
    one_time_secrets = OneTimeSecrets(60)
    yield one_time_secrets
    one_time_secrets.drop_session("session")


def delivery(engine, one_time_secrets, ids, action=Action.GENERATE) -> ExportDownload:
    """Return the delivery of an export to `ids`."""
    planned = plan(engine, action, ids)
    key = SecretKey("session", "mhale", planned.operation_id)
    return ExportDownload(
        unit_of_work(engine, later),
        MINTING,
        one_time_secrets,
        key,
        by(planned),
        planned,
        lambda: True,
    )


class TestDelivering:
    """The download button's callable."""

    def test_nothing_happens_before_the_click(self, engine, one_time_secrets):
        """Making it is not confirming it."""
        delivered = delivery(engine, one_time_secrets, build(engine, 2))
        assert (delivered.begun, delivered.over, delivered.receipt) == (False, False, None)
        assert select(engine, "SELECT count(*) FROM token") == [(0,)]

    def test_the_first_call_does_it(self, engine, one_time_secrets):
        """The bytes are the CSV, the receipt is there, the tokens work."""
        delivered = delivery(engine, one_time_secrets, build(engine, 3))
        content = delivered()
        tokens = [row["API Token"] for row in csv_rows(content)]
        assert live_matches(engine, tokens) == [1, 1, 1]
        assert (delivered.begun, delivered.over, delivered.error) == (True, True, None)
        assert delivered.receipt.csv_sha256 == hashlib.sha256(content).hexdigest()

    def test_later_calls_give_the_same_bytes(self, engine, one_time_secrets):
        """Download again, or a browser that asks twice."""
        delivered = delivery(engine, one_time_secrets, build(engine, 3))
        assert delivered() == delivered() == delivered()
        assert select(engine, "SELECT count(*) FROM operation") == [(1,)]

    def test_eight_threads_at_once(self, engine, one_time_secrets):
        """One operation, one file."""
        delivered = delivery(engine, one_time_secrets, build(engine, 3))
        start = threading.Barrier(8)
        contents = []

        def click() -> None:
            start.wait(30)
            contents.append(delivered())

        threads = [threading.Thread(target=click) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(contents) == 8
        assert len(set(contents)) == 1
        assert select(engine, "SELECT count(*) FROM operation") == [(1,)]

    def test_a_second_delivery_of_the_same_plan(self, engine, one_time_secrets):
        """From another tab: the receipt, and no second file."""
        first = delivery(engine, one_time_secrets, build(engine, 2))
        first()
        key = first.key._replace(session="other")
        second = ExportDownload(
            unit_of_work(engine, later),
            MINTING,
            one_time_secrets,
            key,
            by(first.plan),
            first.plan,
            lambda: True,
        )
        with pytest.raises(DownloadNotRecordedError):
            second()
        assert (second.receipt, second.error) == (first.receipt, None)

    def test_after_the_file_was_dropped(self, engine, one_time_secrets):
        """There is no file any more, and nothing is minted again."""
        delivered = delivery(engine, one_time_secrets, build(engine, 2))
        delivered()
        one_time_secrets.drop(delivered.key)
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert select(engine, "SELECT count(*) FROM token") == [(2,)]


class TestFailing:
    """An error is kept for the page; what the server gets to log says nothing."""

    def test_the_plan_is_outdated(self, engine, one_time_secrets):
        """The page can tell who changed."""
        ids = build(engine, 2)
        delivered = delivery(engine, one_time_secrets, ids)
        act(engine, Action.REQUEST, ids[:1])
        with pytest.raises(DownloadNotRecordedError) as caught:
            delivered()
        assert isinstance(delivered.error, PlanOutdatedError)
        assert [user.username for user in delivered.error.changed] == ["utcjf1-u0"]
        assert (str(caught.value), caught.value.__cause__) == ("", None)

    def test_the_role_was_taken_away(self, engine, one_time_secrets):
        """The operation asks again."""
        delivered = delivery(engine, one_time_secrets, build(engine, 2))
        change(engine, "UPDATE user_account SET staff_status = 'inactive'")
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert isinstance(delivered.error, NotAllowedError)

    def test_it_is_over_after_an_error(self, engine, one_time_secrets):
        """A further click does not try again behind the page's back."""
        ids = build(engine, 2)
        delivered = delivery(engine, one_time_secrets, ids)
        change(engine, "UPDATE user_account SET staff_status = 'inactive'")
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        change(engine, "UPDATE user_account SET staff_status = 'active' WHERE username = 'mhale'")
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert delivered.over
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    def test_the_database_is_locked(self, tmp_path, one_time_secrets):
        """The page can say so."""
        from lib.store.migrate import migrate  # noqa: PLC0415 - this test opens its own

        url = f"sqlite:///{tmp_path / 'desk.db'}"
        engine, other = open_engine(url, busy_seconds=0.1), open_engine(url)
        migrate(engine)
        delivered = delivery(engine, one_time_secrets, build(engine, 2))
        with writing(other), pytest.raises(DownloadNotRecordedError):
            delivered()
        assert isinstance(delivered.error, DatabaseBusyError)
        engine.dispose()
        other.dispose()

    def test_a_mistake_of_ours(self, engine, one_time_secrets, caplog):
        """What nobody expected ends the same way, and its traceback has no data."""
        delivered = delivery(engine, one_time_secrets, build(engine, 2))
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE operation_result RENAME TO elsewhere"))
        with caplog.at_level(logging.DEBUG), pytest.raises(DownloadNotRecordedError) as caught:
            delivered()
        assert type(delivered.error) is DeskError
        assert caught.value.__suppress_context__
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert "demo_" not in shown
        assert select(engine, "SELECT count(*) FROM token") == [(0,)]


class TestShowing:
    """What a log, a page or a debugger gets to see of it."""

    def test_no_token_and_no_tools(self, engine, one_time_secrets):
        """The representation holds neither tokens nor users nor keys."""
        delivered = delivery(engine, one_time_secrets, build(engine, 2))
        tokens = [row["API Token"] for row in csv_rows(delivered())]
        shown = repr(delivered)
        assert [token for token in tokens if token[:20] in shown] == []
        assert ORG in shown
        assert "pepper" not in shown
        assert "Vault" not in shown


class TestAnotherConfirmation:
    """A click counts for the confirmation that is open, and for no other."""

    def test_a_click_on_a_closed_one_mints_nothing(self, engine, one_time_secrets):
        """It was dismissed, or another took its place: nothing is written, and no file comes."""
        delivered = replace(
            delivery(engine, one_time_secrets, build(engine, 2)), is_open=lambda: False
        )
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert (delivered.begun, delivered.over) == (False, False)
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    def test_download_again_works_when_it_is_closed(self, engine, one_time_secrets):
        """The receipt has taken the confirmation's place."""
        answers = iter([True])
        delivered = replace(
            delivery(engine, one_time_secrets, build(engine, 2)), is_open=lambda: next(answers)
        )
        assert delivered() == delivered()
