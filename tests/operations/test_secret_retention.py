"""Memory for tokens in clear: for one session, person and operation, for a limited time."""

import threading
from itertools import product

import pytest

from lib.operations.secret_retention import OneTimeSecrets, SecretKey

KEY = SecretKey("session", "mhale", "operation")


@pytest.fixture
def one_time_secrets() -> OneTimeSecrets:
    """A store whose time is longer than a test."""
    return OneTimeSecrets(60)


class TestKeeping:
    """A secret is returned to its own key only."""

    def test_a_secret_can_be_read_many_times(self, one_time_secrets):
        """The button to download again returns the same."""
        one_time_secrets.keep(KEY, b"secret")
        assert [one_time_secrets.get(KEY), one_time_secrets.get(KEY)] == [b"secret"] * 2
        assert 50 < one_time_secrets.seconds_left(KEY) <= 60
        one_time_secrets.drop(KEY)

    def test_another_session_person_or_operation_gets_none(self, one_time_secrets):
        """All seven wrong keys are tried."""
        one_time_secrets.keep(KEY, b"secret")
        keys = [SecretKey(*parts) for parts in product(*((part, "x") for part in KEY))]
        assert [one_time_secrets.get(key) for key in keys] == [b"secret"] + [None] * 7
        assert [one_time_secrets.seconds_left(key) > 0 for key in keys] == [True] + [False] * 7
        one_time_secrets.drop(KEY)

    def test_a_later_secret_replaces_the_earlier_one(self):
        """The timer of the earlier one does not end it."""
        short = OneTimeSecrets(0.05)
        short.keep(KEY, b"first")
        first = short._kept[KEY].timer
        short._seconds = 60
        short.keep(KEY, b"second")
        first.join(10)
        assert not first.is_alive()
        short._end(KEY, first)  # as a timer does that could no longer be stopped
        assert short.get(KEY) == b"second"
        short.drop(KEY)


class TestForgetting:
    """By time, by `drop`, and with the session."""

    def test_a_timer_deletes_a_secret_that_nobody_reads(self):
        """Nothing stays in memory."""
        one_time_secrets = OneTimeSecrets(0.05)
        one_time_secrets.keep(KEY, b"secret")
        one_time_secrets._kept[KEY].timer.join(10)
        assert one_time_secrets._kept == {}
        assert (one_time_secrets.get(KEY), one_time_secrets.seconds_left(KEY)) == (None, 0.0)

    def test_an_expired_secret_is_not_returned_when_the_timer_is_late(self, one_time_secrets):
        """Each get checks the time."""
        one_time_secrets.keep(KEY, b"secret")
        one_time_secrets._kept[KEY] = one_time_secrets._kept[KEY]._replace(until=0.0)
        assert one_time_secrets.get(KEY) is None
        one_time_secrets.drop(KEY)

    def test_drop_deletes_a_secret_and_stops_its_timer(self, one_time_secrets):
        """A second call is no error."""
        one_time_secrets.keep(KEY, b"secret")
        timer = one_time_secrets._kept[KEY].timer
        one_time_secrets.drop(KEY)
        one_time_secrets.drop(KEY)
        timer.join(10)
        assert (one_time_secrets.get(KEY), timer.is_alive()) == (None, False)

    def test_drop_holder_deletes_only_secrets_of_that_holder(self, one_time_secrets):
        """Others keep theirs."""
        other = KEY._replace(holder="other")
        for key in (KEY, KEY._replace(made_by="second"), other):
            one_time_secrets.keep(key, b"secret")
        one_time_secrets.drop_holder("session")
        assert list(one_time_secrets._kept) == [other]
        one_time_secrets.drop(other)

    def test_timers_do_not_stop_the_process_from_ending(self, one_time_secrets):
        """They are daemon threads."""
        one_time_secrets.keep(KEY, b"secret")
        assert one_time_secrets._kept[KEY].timer.daemon
        one_time_secrets.drop(KEY)

    def test_keep_get_and_drop_from_many_threads_raise_nothing(self, one_time_secrets):
        """All at the same time."""
        keys = [KEY._replace(made_by=str(n)) for n in range(8)]

        def use(key: SecretKey) -> None:
            for n in range(50):
                one_time_secrets.keep(key, str(n).encode())
                assert one_time_secrets.get(key) == str(n).encode()
                one_time_secrets.drop(key)

        threads = [threading.Thread(target=use, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert one_time_secrets._kept == {}
