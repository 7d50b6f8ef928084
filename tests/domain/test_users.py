"""What a search on the Users page can mean beside a name."""

import pytest

from lib.domain.users import hint_in, operation_id_in

OPERATION = "01a2132872f57ed88606d97e1e2ae8f5"


class TestOperationId:
    """The beginning of an operation's id."""

    @pytest.mark.parametrize(
        ("search", "expected"),
        [
            (OPERATION, OPERATION),
            (f" UTCJF1-{OPERATION.upper()} ", OPERATION),
            (OPERATION[:8], OPERATION[:8]),
            (OPERATION[:7], ""),
            (f"{OPERATION}0", ""),
            ("adoyle", ""),
            ("%", ""),
        ],
    )
    def test_operation_id_needs_eight_digits(self, search, expected):
        """Fewer would name the operations of months."""
        assert operation_id_in(search) == expected


class TestHint:
    """The visible part of a token."""

    @pytest.mark.parametrize(
        ("search", "expected"),
        [
            ("adoY", "demo_adoY"),
            ("demo_adoY", "demo_adoY"),
            (" demo_adoY… ", "demo_adoY"),
            ("old_adoY...", "old_adoY"),
            ("ado", ""),
            ("adoYx", ""),
            ("ad_Y", ""),
            ("", ""),
        ],
    )
    def test_hint_has_four_characters_with_or_without_a_prefix(self, search, expected):
        """Its case is kept, and a prefix that the setting had before counts too."""
        assert hint_in(search, "demo") == expected
