"""Where tokens wait in clear: for one session, person and operation, and not for long."""

import threading
from itertools import product

import pytest

from lib.operations.one_time_secrets import OneTimeSecrets, SecretKey

KEY = SecretKey("session", "mhale", "operation")


@pytest.fixture
def one_time_secrets() -> OneTimeSecrets:
    """A vault that keeps long enough for a test."""
    return OneTimeSecrets(60)


class TestKeeping:
    """What is kept comes back to whom it belongs to."""

    def test_it_comes_back_as_often_as_wanted(self, one_time_secrets):
        """Download again gives the same."""
        one_time_secrets.keep(KEY, b"secret")
        assert [one_time_secrets.get(KEY), one_time_secrets.get(KEY)] == [b"secret"] * 2
        assert 50 < one_time_secrets.seconds_left(KEY) <= 60
        one_time_secrets.drop(KEY)

    def test_nobody_else_gets_it(self, one_time_secrets):
        """Another session, person or operation gets nothing: all seven wrong keys."""
        one_time_secrets.keep(KEY, b"secret")
        keys = [SecretKey(*parts) for parts in product(*((part, "x") for part in KEY))]
        assert [one_time_secrets.get(key) for key in keys] == [b"secret"] + [None] * 7
        assert [one_time_secrets.seconds_left(key) > 0 for key in keys] == [True] + [False] * 7
        one_time_secrets.drop(KEY)

    def test_a_later_secret_takes_the_place(self):
        """And the earlier one's time does not end it."""
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
    """By time, by hand, and with the session."""

    def test_by_time_without_anybody_asking(self):
        """A timer drops it: nothing is left in memory."""
        one_time_secrets = OneTimeSecrets(0.05)
        one_time_secrets.keep(KEY, b"secret")
        one_time_secrets._kept[KEY].timer.join(10)
        assert one_time_secrets._kept == {}
        assert (one_time_secrets.get(KEY), one_time_secrets.seconds_left(KEY)) == (None, 0.0)

    def test_by_time_even_when_the_timer_is_late(self, one_time_secrets):
        """The clock is asked again at each get."""
        one_time_secrets.keep(KEY, b"secret")
        one_time_secrets._kept[KEY] = one_time_secrets._kept[KEY]._replace(until=0.0)
        assert one_time_secrets.get(KEY) is None
        one_time_secrets.drop(KEY)

    def test_by_hand(self, one_time_secrets):
        """Dropping stops the timer; a second time is no error."""
        one_time_secrets.keep(KEY, b"secret")
        timer = one_time_secrets._kept[KEY].timer
        one_time_secrets.drop(KEY)
        one_time_secrets.drop(KEY)
        timer.join(10)
        assert (one_time_secrets.get(KEY), timer.is_alive()) == (None, False)

    def test_with_the_session(self, one_time_secrets):
        """Everything of one session goes, others keep theirs."""
        other = KEY._replace(session="other")
        for key in (KEY, KEY._replace(made_by="second"), other):
            one_time_secrets.keep(key, b"secret")
        one_time_secrets.drop_session("session")
        assert list(one_time_secrets._kept) == [other]
        one_time_secrets.drop(other)

    def test_timers_do_not_keep_the_process(self, one_time_secrets):
        """The server can stop while something is kept."""
        one_time_secrets.keep(KEY, b"secret")
        assert one_time_secrets._kept[KEY].timer.daemon
        one_time_secrets.drop(KEY)

    def test_from_many_threads(self, one_time_secrets):
        """Keeping, getting and dropping at once harm nobody."""
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
