"""Lists of columns that are made from the rows they fill."""

from typing import NamedTuple

import pytest

from lib.store.columns import select_list


class _Row(NamedTuple):
    """A row of a test."""

    name: str
    tokens: int


class TestSelectList:
    """The SELECT list of a NamedTuple."""

    def test_select_list_when_an_expression_is_given_takes_it_and_else_the_column(self) -> None:
        """In the order of the fields, whatever the order of the expressions."""
        assert select_list(_Row, "m", tokens="count(*)") == "m.name AS name, count(*) AS tokens"

    def test_select_list_when_there_is_no_such_field_raises(self) -> None:
        """A field that was renamed is noticed when the module is loaded."""
        with pytest.raises(ValueError, match="_Row has no field users"):
            select_list(_Row, "m", users="count(*)")
