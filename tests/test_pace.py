"""A time that is left is said when it is known, and not before."""

import pytest

from deltalakedb.cli.progress import _Pace
from deltalakedb.pace import seconds_left


@pytest.mark.parametrize(
    ("share", "seconds", "left"),
    [
        (None, 100, None),
        (0.0, 100, None),
        (0.0001, 1.2, None),  # more than 3 hours, by what is known then
        (0.5, 4.9, None),
        (0.009, 20, None),
        (0.25, 5, 15),
        (0.01, 10, 990),
        (0.001, 60, 59940),
        (1.0, 60, 0),
    ],
)
def test_the_time_that_is_left(share: float | None, seconds: float, left: float | None):
    assert seconds_left(share, seconds) == (None if left is None else pytest.approx(left))


def test_what_was_done_before_is_not_counted(monkeypatch: pytest.MonkeyPatch):
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    pace = _Pace()
    assert pace.left("t", None) == pace.left("t", 0.5) == ""
    clock[0] += 1
    assert pace.left("t", 0.501) == ""
    clock[0] += 19
    assert pace.left("t", 0.6) == "1 min 20 s left"
    assert pace.left("t", 1.0) == pace.left("u", 0.6) == ""
    pace.end("t")
    assert pace.left("t", 0.6) == ""
