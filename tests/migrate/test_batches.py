from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.migrate.batches import batches
from deltalakedb.rows import FileLifetime, Files, Rows


def files(numbers: list[int]) -> Files:
    return Files(FileLifetime._make([number] * len(FileLifetime._fields)) for number in numbers)


# What the rows are doesn't matter: numbers stand for them.
pieces = st.lists(
    st.builds(Rows, files=st.lists(st.integers(), max_size=9).map(files), commits=st.lists(st.integers(), max_size=1),
              cdc_files=st.lists(st.integers(), max_size=3), transactions=st.lists(st.integers(), max_size=2)),
    max_size=9,
)  # fmt: skip
sizes = st.integers(1, 12)


def numbered(found: list[Rows]) -> list[Rows]:
    """The same rows, each told from all others, in new lists."""
    numbers = iter(range(10_000))
    taken = [{name: [next(numbers) for _ in getattr(rows, name)] for name in Rows.__slots__} for rows in found]
    return [Rows(**{**rows, "files": files(rows["files"])}) for rows in taken]


def all_rows(found: list[Rows]) -> dict[str, list[Any]]:
    return {name: [row for rows in found for row in getattr(rows, name)] for name in Rows.__slots__}


@given(pieces, sizes)
def test_batches_hold_every_row_once_and_in_order(found: list[Rows], size: int):
    found = numbered(found)
    cut = list(batches(iter(found), size))
    assert all_rows([batch for batch, _ in cut]) == all_rows(numbered(found))


@given(pieces, sizes)
def test_no_batch_has_more_files_than_asked_for(found: list[Rows], size: int):
    assert all(len(batch.files) <= size for batch, _ in batches(numbered(found), size))


@given(pieces, sizes)
def test_batches_without_files_end_as_well(found: list[Rows], size: int):
    for batch, _ in batches(numbered(found), size):
        assert len(batch.commits) + len(batch.cdc_files) < size + 4  # no piece brings more than four


@given(pieces, sizes)
def test_the_last_batch_and_no_other_is_called_so(found: list[Rows], size: int):
    *before, last = [is_last for _, is_last in batches(numbered(found), size)]
    assert last
    assert not any(before)


@given(pieces, sizes, sizes, st.data())
def test_after_any_batch_the_rest_can_be_had_with_batches_of_any_size(
    found: list[Rows], size: int, other_size: int, data: st.DataObject
):
    found = numbered(found)
    cut = [batch for batch, _ in batches(iter(numbered(found)), size)]
    loaded = data.draw(st.integers(0, len(cut)), label="batches loaded")
    skip = sum(len(batch) for batch in cut[:loaded])
    rest = [batch for batch, _ in batches(numbered(found), other_size, skip)]
    assert all_rows(cut[:loaded] + rest) == all_rows(numbered(found))


def test_a_commit_larger_than_a_batch_is_cut():
    (rows,) = numbered([Rows(files=[0] * 25, commits=[0])])
    cut = [(len(batch.files), len(batch.commits), last) for batch, last in batches([rows], 10)]
    assert cut == [(10, 0, False), (10, 0, False), (5, 1, True)]


def test_without_rows_there_is_one_empty_batch():
    ((batch, last),) = batches([], 10)
    assert (len(batch), last) == (0, True)
