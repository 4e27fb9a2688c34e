"""Adds by their columns: the same adds, whichever way they are looked at."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from deltalakedb.log.actions import NO_RAW, Add, key_of
from deltalakedb.log.add_columns import AddColumns

PARTITIONS = [NO_RAW, *(Raw(f'{{"day":"{day}"}}'.encode()) for day in range(4))]


@st.composite
def adds(draw: st.DrawFn) -> list[Add]:
    partitions = draw(st.lists(st.sampled_from(PARTITIONS), max_size=30))
    return [Add(path=str(at), partition_values=values, size=at, stats="{}") for at, values in enumerate(partitions)]


@given(adds())
def test_they_are_a_sequence_of_the_same_adds(given: list[Add]):
    columns = AddColumns.of(given)
    assert list(columns) == given
    assert list(columns[2:5]) == given[2:5]
    assert columns.keys() == [key_of(add) for add in given]
    assert AddColumns.of(columns) is columns


@given(adds())
def test_partitions_are_put_together_and_nothing_is_lost(given: list[Add]):
    found = list(AddColumns.of(given).by_partition())
    assert sorted(found, key=lambda add: add.size or 0) == given
    met = [bytes(add.partition_values) for add in found]
    assert sum(before != after for before, after in pairwise(met)) == max(0, len(set(met)) - 1)
    for values in set(met):  # within a partition, files stay as they were
        assert [add for add in found if bytes(add.partition_values) == values] == [
            add for add in given if bytes(add.partition_values) == values
        ]


def test_what_is_not_known_is_absent():
    (found,) = AddColumns.of_known({"path": ["a"]})
    assert found == Add(path="a")
    with pytest.raises(IndexError):
        AddColumns.of_known({})[0]
