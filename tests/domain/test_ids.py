"""Ids: UUID version 7, ascending."""

from itertools import pairwise
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from lib.domain.ids import new_id, new_ids
from tests.support.database_facts import NOW

MOMENTS = st.integers(0, 2**48 - 1)


class TestIds:
    """New ids."""

    @given(MOMENTS, st.integers(0, 50))
    def test_they_are_version_7(self, now, count):
        """An id has the version and variant of RFC 9562, and the moment in its first 48 bits."""
        ids = [UUID(text) for text in new_ids(count, now)]
        assert len(ids) == count
        assert all((i.version, i.variant, i.int >> 80) == (7, RFC_4122, now) for i in ids)

    @given(MOMENTS)
    def test_they_are_32_lower_case_digits(self, now):
        """Ids have no hyphens, so that the order of texts is the order of numbers."""
        made = new_id(now)
        assert UUID(made).hex == made

    @given(MOMENTS, st.integers(2, 200))
    def test_a_batch_ascends(self, now, count):
        """Each id of a batch sorts after the previous one."""
        assert all(a < b for a, b in pairwise(new_ids(count, now)))

    def test_a_later_moment_gives_a_greater_id(self):
        """An id of a later moment sorts after one of an earlier moment."""
        assert all(new_id(NOW) < new_id(NOW + 1) for _ in range(1_000))

    def test_all_are_different(self):
        """Ids are unique, also between batches of the same millisecond."""
        ids = [i for _ in range(100) for i in new_ids(1_000, NOW)]
        assert len(set(ids)) == 100_000
