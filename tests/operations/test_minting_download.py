"""The callable of the download button mints once, and its errors carry no data."""

import hashlib
import logging
import threading
import traceback
from dataclasses import replace

import pytest
from sqlalchemy import text

from lib.domain.errors import DatabaseBusyError, DeskError, NotAllowedError, PlanOutdatedError
from lib.domain.states import Action
from lib.operations.minting_download import DownloadNotRecordedError, MintingDownload
from lib.operations.secret_retention import OneTimeSecrets, SecretKey
from lib.store.engine import open_engine, writing
from tests.support.actions import act, change, csv_rows, later, live_matches, plan, select
from tests.support.directory import MINTING, ORG, build, by, unit_of_work


@pytest.fixture
def one_time_secrets():
    """A store of secrets that is emptied at the end of the test."""
    one_time_secrets = OneTimeSecrets(60)
    yield one_time_secrets
    one_time_secrets.drop_holder("session")


def make_download(engine, one_time_secrets, ids, action=Action.GENERATE) -> MintingDownload:
    """Return the download of an export to `ids`."""
    planned = plan(engine, action, ids)
    key = SecretKey("session", "mhale", planned.operation_id)
    return MintingDownload(
        unit_of_work(engine, later),
        MINTING,
        one_time_secrets,
        key,
        by(planned),
        planned,
        lambda: True,
    )


class TestDownload:
    """Calls of the download button."""

    def test_making_a_download_changes_nothing(self, engine, one_time_secrets):
        """Only the call executes the plan."""
        delivered = make_download(engine, one_time_secrets, build(engine, 2))
        assert (delivered.begun, delivered.over, delivered.receipt) == (False, False, None)
        assert select(engine, "SELECT count(*) FROM token") == [(0,)]

    def test_the_first_call_returns_the_csv_and_sets_the_receipt(self, engine, one_time_secrets):
        """The tokens work."""
        delivered = make_download(engine, one_time_secrets, build(engine, 3))
        content = delivered()
        tokens = [row["API Token"] for row in csv_rows(content)]
        assert live_matches(engine, tokens) == [1, 1, 1]
        assert (delivered.begun, delivered.over, delivered.error) == (True, True, None)
        assert delivered.receipt.csv_sha256 == hashlib.sha256(content).hexdigest()

    def test_later_calls_return_the_same_bytes(self, engine, one_time_secrets):
        """For "Download again", or a browser that requests twice."""
        delivered = make_download(engine, one_time_secrets, build(engine, 3))
        assert delivered() == delivered() == delivered()
        assert select(engine, "SELECT count(*) FROM operation") == [(1,)]

    def test_eight_calls_at_once_make_one_operation_and_one_file(self, engine, one_time_secrets):
        """Each call returns the same bytes."""
        delivered = make_download(engine, one_time_secrets, build(engine, 3))
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

    def test_a_second_download_of_the_same_plan_has_the_receipt_and_no_file(
        self, engine, one_time_secrets
    ):
        """As from another tab."""
        first = make_download(engine, one_time_secrets, build(engine, 2))
        first()
        key = first.key._replace(holder="other")
        second = MintingDownload(
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

    def test_a_call_after_the_file_was_dropped_raises_and_mints_nothing(
        self, engine, one_time_secrets
    ):
        """The file is not kept any more."""
        delivered = make_download(engine, one_time_secrets, build(engine, 2))
        delivered()
        one_time_secrets.drop(delivered.key)
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert select(engine, "SELECT count(*) FROM token") == [(2,)]


class TestErrors:
    """An error is kept for the page. What the server logs has no data."""

    def test_an_outdated_plan_is_kept_as_the_error(self, engine, one_time_secrets):
        """The page can show who changed."""
        ids = build(engine, 2)
        delivered = make_download(engine, one_time_secrets, ids)
        act(engine, Action.REQUEST, ids[:1])
        with pytest.raises(DownloadNotRecordedError) as caught:
            delivered()
        assert isinstance(delivered.error, PlanOutdatedError)
        assert [user.username for user in delivered.error.changed] == ["utcjf1-u0"]
        assert (str(caught.value), caught.value.__cause__) == ("", None)

    def test_a_revoked_role_is_kept_as_the_error(self, engine, one_time_secrets):
        """The permission is checked again."""
        delivered = make_download(engine, one_time_secrets, build(engine, 2))
        change(engine, "UPDATE user_account SET staff_status = 'inactive'")
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert isinstance(delivered.error, NotAllowedError)

    def test_a_call_after_an_error_does_not_try_again(self, engine, one_time_secrets):
        """The page has shown the error."""
        ids = build(engine, 2)
        delivered = make_download(engine, one_time_secrets, ids)
        change(engine, "UPDATE user_account SET staff_status = 'inactive'")
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        change(engine, "UPDATE user_account SET staff_status = 'active' WHERE username = 'mhale'")
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert delivered.over
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    def test_a_locked_database_is_kept_as_the_error(self, tmp_path, one_time_secrets):
        """The page can say so."""
        from lib.store.migrate import migrate  # noqa: PLC0415 - this test opens its own

        url = f"sqlite:///{tmp_path / 'desk.db'}"
        engine, other = open_engine(url, busy_seconds=0.1), open_engine(url)
        migrate(engine)
        delivered = make_download(engine, one_time_secrets, build(engine, 2))
        with writing(other), pytest.raises(DownloadNotRecordedError):
            delivered()
        assert isinstance(delivered.error, DatabaseBusyError)
        engine.dispose()
        other.dispose()

    def test_an_unexpected_error_is_kept_without_its_data(self, engine, one_time_secrets, caplog):
        """The logged traceback has no data."""
        delivered = make_download(engine, one_time_secrets, build(engine, 2))
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE operation_result RENAME TO elsewhere"))
        with caplog.at_level(logging.DEBUG), pytest.raises(DownloadNotRecordedError) as caught:
            delivered()
        assert type(delivered.error) is DeskError
        assert caught.value.__suppress_context__
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert "demo_" not in shown
        assert select(engine, "SELECT count(*) FROM token") == [(0,)]


class TestRepresentation:
    """What a log, a page or a debugger can show of a download."""

    def test_the_representation_has_no_tokens_users_or_keys(self, engine, one_time_secrets):
        """Only what the page shows anyway."""
        delivered = make_download(engine, one_time_secrets, build(engine, 2))
        tokens = [row["API Token"] for row in csv_rows(delivered())]
        shown = repr(delivered)
        assert [token for token in tokens if token[:20] in shown] == []
        assert ORG in shown
        assert "pepper" not in shown
        assert "OneTimeSecrets" not in shown


class TestClosedConfirmation:
    """A click counts only for the confirmation that is open."""

    def test_a_call_of_a_closed_confirmation_mints_nothing(self, engine, one_time_secrets):
        """It was dismissed or replaced: nothing is written, and there is no file."""
        delivered = replace(
            make_download(engine, one_time_secrets, build(engine, 2)), is_open=lambda: False
        )
        with pytest.raises(DownloadNotRecordedError):
            delivered()
        assert (delivered.begun, delivered.over) == (False, False)
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    def test_download_again_works_after_the_confirmation_was_closed(self, engine, one_time_secrets):
        """The receipt is shown instead of the confirmation."""
        answers = iter([True])
        delivered = replace(
            make_download(engine, one_time_secrets, build(engine, 2)), is_open=lambda: next(answers)
        )
        assert delivered() == delivered()
