"""What the server saw of an export's CSV, and which receipts come back after a reload."""

import logging

import pytest
from sqlalchemy import event

from lib.domain.activity import ActivityFilter, Group
from lib.domain.states import Action, Delivery
from lib.operations import activity, kept_exports, undo
from lib.operations.audited_download import DownloadNotRecordedError
from lib.operations.kept_exports import KeptExport, find_export
from lib.operations.minting_download import MintingDownload
from lib.operations.secret_retention import KEPT_SECONDS, OneTimeSecrets, SecretKey
from tests.support.actions import LATER, OTHER_ADMIN, act, add_administrator, later, plan, select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, unit_of_work


@pytest.fixture
def secrets():
    """A store of secrets that is emptied at the end of the test."""
    secrets = OneTimeSecrets(60)
    yield secrets
    secrets.drop_holder("holder")


def confirmed(engine, secrets, ids, at=LATER) -> MintingDownload:
    """Return the download of an export to `ids`, before its click at the moment `at`."""
    planned = plan(engine, Action.GENERATE, ids)
    return MintingDownload(
        unit_of_work(engine, lambda: at),
        MINTING,
        secrets,
        SecretKey("holder", ADMIN.username, planned.operation_id),
        by(planned),
        planned,
        lambda: True,
    )


def found(engine, secrets, *, holder="holder", actor=ADMIN, at=LATER, closed=()):
    """Return the export that the page of the organization and service shows."""
    return find_export(
        unit_of_work(engine, lambda: at), secrets, holder, actor, ORG, SERVICE, closed
    )


def deliveries(engine) -> list[str]:
    """Return what is recorded of each operation."""
    return [row[0] for row in select(engine, "SELECT csv_delivery FROM operation ORDER BY 1")]


class TestDelivery:
    """The operation records what the server sees of its download."""

    def test_an_export_is_not_sent_until_the_server_has_sent_it(self, engine, secrets):
        """Making the file is not enough: the browser may have gone."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()
        assert deliveries(engine) == [Delivery.NOT_SENT]
        assert download.receipt.delivery is Delivery.NOT_SENT

    def test_a_file_that_was_sent_three_times_is_sent_again(self, engine, secrets):
        """The receipt says the same as the operation."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()
        seen = []
        for _ in range(3):
            download.sent()
            assert deliveries(engine) == [download.receipt.delivery]
            seen.append(download.receipt.delivery)
        assert seen == [Delivery.SENT, Delivery.SENT_AGAIN, Delivery.SENT_AGAIN]

    def test_sent_writes_no_audit_event(self, engine, secrets):
        """The trail has who did what, and nobody did this."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()
        before = select(engine, "SELECT * FROM audit_event ORDER BY event_id")
        download.sent()
        assert select(engine, "SELECT * FROM audit_event ORDER BY event_id") == before

    @pytest.mark.parametrize("action", [Action.REQUEST, Action.REMOVE, Action.CANCEL])
    def test_an_operation_without_a_csv_has_no_delivery(self, engine, action):
        """There is nothing to send."""
        act(engine, Action.GENERATE, build(engine, 1))
        ids = [row[0] for row in select(engine, "SELECT member_id FROM member")]
        if action is Action.REMOVE:
            _change(engine, "UPDATE token SET state = 'accepted', accepted_at = 1")
        if action is Action.REQUEST:
            _change(engine, "UPDATE token SET state = 'removed', ended_at = 1, ended_from = 'x'")
        _, outcome = act(engine, action, ids)
        assert outcome.receipt.delivery is Delivery.NONE
        assert deliveries(engine) == [Delivery.NONE, Delivery.NOT_SENT]

    def test_sent_before_the_operation_or_after_an_error_does_nothing(self, engine, secrets):
        """There is no receipt."""
        confirmed(engine, secrets, build(engine, 2)).sent()
        assert deliveries(engine) == []

    def test_sent_without_a_database_is_logged_and_raises_nothing(self, engine, secrets, caplog):
        """It runs after the response, where nobody could read an error."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()

        def fail(*_args):
            raise engine.dialect.loaded_dbapi.OperationalError("gone")

        event.listen(engine, "before_cursor_execute", fail)
        with caplog.at_level(logging.WARNING, kept_exports.__name__):
            download.sent()
        event.remove(engine, "before_cursor_execute", fail)
        assert [r.getMessage() for r in caplog.records if r.name == kept_exports.__name__] == [
            "a sent CSV was not recorded: StoreUnavailable"
        ]
        assert deliveries(engine) == [Delivery.NOT_SENT]


def _change(engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


class TestFound:
    """Which export a page shows that has none in its session."""

    def test_a_kept_csv_is_found_by_its_holder_and_downloads_again(self, engine, secrets):
        """As after a reload with the same sign-in."""
        download = confirmed(engine, secrets, build(engine, 2))
        csv = download()
        download.sent()
        export = found(engine, secrets)
        assert (export.receipt, export()) == (download.receipt, csv)
        assert export.seconds_left > 0
        export.sent()
        assert deliveries(engine) == [Delivery.SENT_AGAIN]

    def test_an_unsent_csv_of_another_holder_has_its_receipt_and_no_file(self, engine, secrets):
        """As after a reload without an identity provider."""
        confirmed(engine, secrets, build(engine, 2))()
        export = found(engine, secrets, holder="other")
        assert export.receipt.delivery is Delivery.NOT_SENT
        assert export.seconds_left == 0
        with pytest.raises(DownloadNotRecordedError):
            export()

    def test_a_sent_csv_of_another_holder_is_not_found(self, engine, secrets):
        """The person has it."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()
        download.sent()
        assert found(engine, secrets, holder="other") is None

    def test_another_person_and_a_closed_receipt_find_nothing(self, engine, secrets):
        """Nor does anybody after ten minutes."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()
        other = add_administrator(engine)
        assert other == OTHER_ADMIN
        assert found(engine, secrets, actor=other) is None
        assert found(engine, secrets, closed={download.plan.operation_id}) is None
        assert found(engine, OneTimeSecrets(), at=LATER + round(KEPT_SECONDS * 1_000)) is None
        assert found(engine, secrets) is not None

    def test_an_undone_export_is_not_found(self, engine, secrets):
        """Its tokens are worth nothing any more."""
        download = confirmed(engine, secrets, build(engine, 2))
        download()
        work = unit_of_work(engine, later)
        undo.undo(work, ADMIN, undo.plan_undo(work, ADMIN, ORG, download.plan.operation_id))
        assert found(engine, secrets) is None

    def test_the_latest_of_two_exports_is_found(self, engine, secrets):
        """The earlier one's tokens were replaced by it."""
        ids = build(engine, 2)
        confirmed(engine, secrets, ids)()
        second = confirmed(engine, secrets, ids, LATER + 1_000)
        second()
        assert found(engine, secrets).receipt == second.receipt

    def test_the_representation_has_no_secret(self, engine, secrets):
        """It stands in the session state."""
        download = confirmed(engine, secrets, build(engine, 1))
        token = download().decode().split("demo_")[1][:40]
        export = found(engine, secrets)
        assert isinstance(export, KeptExport)
        assert token not in repr(export)
        assert token not in repr(secrets)


class TestActivity:
    """Activity shows it, and lists what was not sent."""

    def test_filter_lists_only_exports_that_were_not_sent(self, engine, secrets):
        """Whatever else was done."""
        ids = build(engine, 3)
        sent, lost = confirmed(engine, secrets, ids[:1]), confirmed(engine, secrets, ids[1:])
        for download in (sent, lost):
            download()
        sent.sent()
        listed = [
            activity.list_events(
                engine, ADMIN, ActivityFilter(Group.CSV_NOT_SENT, **where), limit=9
            )
            for where in ({}, {"organization_id": ORG}, {"person": ADMIN.username})
        ]
        assert [[(r.operation_id, r.delivery) for r in page.rows] for page in listed] == [
            [(lost.plan.operation_id, Delivery.NOT_SENT)]
        ] * 3

    def test_an_open_operation_has_its_delivery(self, engine, secrets):
        """As its page shows it."""
        download = confirmed(engine, secrets, build(engine, 1))
        download()
        download.sent()
        view = activity.open_operation(engine, later, ADMIN, ORG, download.plan.operation_id)
        assert view.done.delivery is Delivery.SENT
