"""Every way of reading gives the rows that its own engine finds in all of them, whatever the table and the condition.

The same seeds each time; `make fuzz ARGS="--only comparison --seconds 600"` tries others.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.comparison.compare import Comparison, Tally

SEEDS = range(21)
A_TEST = 3


@pytest.mark.parametrize("first", SEEDS[::A_TEST])
def test_no_way_loses_or_makes_up_a_row(
    first: int,
    sqlite_url: str,
    postgresql_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    with Comparison([sqlite_url, postgresql_url], tmp_path, in_turns=True) as comparison:
        failures = [failure for seed in range(first, first + A_TEST) for failure in comparison.of(seed)]
    record_property("comparisons", comparison.tally.compared)
    assert not failures, "\n".join([f"{len(failures)} failures", *map(str, failures[:5]), str(comparison.tally)])
    assert_files_are_left_out(comparison.tally)


def assert_files_are_left_out(tally: Tally) -> None:
    """Else nothing was tested: whoever leaves nothing out loses nothing."""
    assert tally.compared > 150
    for name in ("files(sql)", "files(expression)"):
        assert tally.left_out[name] > 20, name
    for name in ("fragments(expression)", "to_pyarrow_dataset(sql)"):
        assert tally.left_out[name] > 5, name
